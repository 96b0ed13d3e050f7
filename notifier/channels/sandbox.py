"""The sandbox: captures what would be sent, for development and for tests of services."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from notifier.channels._outcomes import UnsendableError
from notifier.channels.email.mailbox import parse_sender
from notifier.channels.email.mime import compose
from notifier.channels.in_app import InAppAdapter
from notifier.channels.provider import NoSettings, Parts, Provider
from notifier.delivery.ports import ChannelAdapter
from notifier.notification.model import Channel, Message
from notifier.notification.outcomes import Outcome, Permanent, Sent, Transient
from notifier.providers.captures import Captures
from notifier.providers.trial import Step, Trial

log = structlog.get_logger(__name__)


FAILING: Final[Mapping[str, Outcome]] = {
    "refused@sandbox.example": Permanent("550", "5.1.1 the sandbox knows no such mailbox"),
    "full@sandbox.example": Permanent("552", "5.2.2 the mailbox is full"),
    "blocked@sandbox.example": Permanent("554", "5.7.1 refused as spam"),
    "later@sandbox.example": Transient("451", "4.3.0 try again later", concerns_recipient=True),
    "busy@sandbox.example": Transient("429", "too many", retry_after_s=5, throttled=True),
}
"""Recipients whose mails the sandbox does not take, and what it says of them."""


class SandboxAdapter:
    """Captures messages; with `then`, hands them on and returns that adapter's outcome.

    It owns `then` and closes it. `write` makes the mail that a server would get of a message.
    """

    provider = "sandbox"

    def __init__(
        self,
        captures: Captures,
        then: ChannelAdapter | None = None,
        *,
        write: Callable[[Message], bytes] | None = None,
        timeout_s: float = 10,
    ) -> None:
        self._captures = captures
        self._then = then
        self._write = write
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> Outcome:
        if failure := FAILING.get(message.recipient.lower()):
            return failure
        try:
            async with asyncio.timeout(self._timeout_s):
                source = self._write(message) if self._write else None
                await self._captures.add(message, source)
        except UnsendableError as error:
            return Permanent(error.code, str(error))
        # The port promises a value; nothing left this machine, whatever went wrong.
        except Exception as error:  # noqa: BLE001
            name = type(error).__name__
            log.warning("sandbox.failed", id=str(message.id), error=name)
            return Transient("store_unavailable", f"it could not be captured: {name}")
        if self._then is not None:
            return await self._then.send(message)
        return Sent(str(message.id))

    async def try_out(self, message: Message) -> Trial:
        outcome = await self.send(message)
        if isinstance(outcome, Sent):
            return Trial(outcome=outcome, steps=(Step.CONTENT,))
        return Trial(
            outcome=outcome,
            steps=(Step.RECIPIENT, Step.CONTENT),
            failed_at=Step.RECIPIENT,
            detail=outcome.message,
            advice="the sandbox fails for this address on purpose: try another recipient",
        )

    async def close(self) -> None:
        if self._then is not None:
            await self._then.close()


def _make(channel: Channel, _own: NoSettings, parts: Parts) -> ChannelAdapter:
    inbox = InAppAdapter(parts.inbox) if channel is Channel.IN_APP else None
    write = _writer(parts) if channel is Channel.EMAIL else None
    return SandboxAdapter(parts.captures, then=inbox, write=write)


def _writer(parts: Parts) -> Callable[[Message], bytes]:
    sender = parse_sender(parts.settings.email.sender)
    return lambda message: compose(message, sender, parts.clock.now()).source


SANDBOX = Provider(name="sandbox", channels=tuple(Channel), settings=NoSettings, make=_make)
