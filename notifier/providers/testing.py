"""Testing a provider: whom a test may go to, and that it is noted who sent one to whom."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from notifier.audience.allowed import AllowedRecipients
from notifier.audience.pseudonym import ERASED, Pseudonyms
from notifier.audience.recipient import normalise
from notifier.audit import AuditLog, concerning
from notifier.errors import RecipientError
from notifier.notification.model import Channel, Message
from notifier.providers.trial import Bench, Configured, Trial

_SETTING: Final = "NOTIFIER_API__TEST_RECIPIENTS"


class UntestableError(Exception):
    """Nothing was sent; `field` is what is wrong of what was asked: to, type, name; or empty."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Tester:
    """Sends tests, each through exactly one provider."""

    bench: Bench
    allowed: AllowedRecipients
    captured: Collection[Channel]
    """The channels of which nothing leaves; tests of these go to anybody."""
    audit: AuditLog
    pseudonyms: Pseudonyms
    new_id: Callable[[], UUID]

    async def test(self, name: str, to: str, *, channel: Channel | None, service: str) -> Trial:
        """Send one, and say what came of it; it is noted as the act under way first.

        Args:
            name: The provider's.
            to: To whom, as it is written.
            channel: Of a provider that serves several; None: its first that can be tested.
            service: Whose keyed hash of the address the audit log gets.

        Raises:
            UntestableError: nothing was sent.
            SettingsError: the provider's adapter cannot be made.
        """
        chosen = self._chosen(name, channel)
        recipient = self._recipient(chosen, to)
        pseudonym = self.pseudonyms.of(service, chosen.channel, recipient)
        concerning(pseudonym.removeprefix(ERASED))
        await self.audit.note()
        message = _message(self.new_id(), service, chosen, recipient)
        return await self.bench.try_out(name, message)

    def _chosen(self, name: str, channel: Channel | None) -> Configured:
        named = [each for each in self.bench.configured() if each.name == name]
        fitting = [each for each in named if channel in (None, each.channel)]
        if not fitting:
            is_known = channel is not None and bool(named)
            field, words = ("type", f"{name} serves no {channel}") if is_known else _UNKNOWN
            raise UntestableError(field, words)
        for each in fitting:
            if each.is_testable:
                return each
        raise UntestableError("", f"{name} calls nobody: there is nothing to test")

    def _recipient(self, chosen: Configured, to: str) -> str:
        try:
            recipient = normalise(chosen.channel, to)
        except RecipientError as error:
            raise UntestableError("to", str(error)) from None
        if chosen.channel in self.captured or self.allowed.include(chosen.channel, recipient):
            return recipient
        words = f"tests go to the addresses and domains of {_SETTING} alone, and this is none"
        if not self.allowed:
            words = f"tests go nowhere: an operator names addresses and domains in {_SETTING}"
        raise UntestableError("to", words)


_UNKNOWN: Final = ("name", "no channel names this provider here")


def _message(id: UUID, service: str, chosen: Configured, recipient: str) -> Message:
    return Message(
        id=id,
        service=service,
        channel=chosen.channel,
        recipient=recipient,
        subject=f"[Test] {chosen.name}" if chosen.channel is Channel.EMAIL else None,
        text=f"[Test] An operator of notifier tries {chosen.name} out. Nothing is to be done.",
        html=None,
        sensitive=False,
        attempt=1,
    )
