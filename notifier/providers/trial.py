"""A test send: one real message through exactly one provider, and how far it came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from notifier.checkup import Part
from notifier.notification.model import Channel, Message
from notifier.notification.outcomes import Outcome, Sent, Unknown


class Step(StrEnum):
    """What a message gets through on its way to a provider."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    GREETING = "greeting"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"
    """The message itself, up to the provider's word that it took it."""


TrialResult: TypeAlias = Literal["sent", "failed", "unknown"]
StepState: TypeAlias = Literal["passed", "failed", "not_reached"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a test went. Neither an address nor content nor a secret is in it.

    `steps` are those that this provider has, in their order; `failed_at` is None if it took the
    message, and need not be one of them: a server may want a login where none is set.
    """

    outcome: Outcome
    steps: Sequence[Step]
    failed_at: Step | None = None
    detail: str = ""
    """What was in the way: the provider's words, if it had any."""
    advice: str = ""

    @property
    def code(self) -> str:
        """The provider's code, or ours where there was no answer; empty if it was taken."""
        return "" if isinstance(self.outcome, Sent) else self.outcome.code

    @property
    def kind(self) -> str:
        """The class of what came of it: sent, transient, permanent, systemic or unknown."""
        return type(self.outcome).__name__.lower()

    @property
    def result(self) -> TrialResult:
        """Whether it was taken; unknown: the link broke, and it may have been."""
        match self.outcome:
            case Sent():
                return "sent"
            case Unknown():
                return "unknown"
            case _:
                return "failed"

    @property
    def provider_id(self) -> str | None:
        """The provider's id of what it took."""
        return self.outcome.provider_id if isinstance(self.outcome, Sent) else None

    @property
    def passed(self) -> Sequence[Step]:
        """The steps that it got through."""
        if self.failed_at is None:
            return self.steps
        ends_at = self.failed_at if self.failed_at in self.steps else Step.SENDER
        return tuple(takewhile(lambda step: step is not ends_at, self.steps))

    def states(self) -> Sequence[tuple[Step, StepState]]:
        """Return how each step went, in their order."""
        passed = self.passed
        at = () if self.failed_at is None else ((self.failed_at, "failed"),)
        done = {*passed, self.failed_at}
        rest = ((each, "not_reached") for each in self.steps if each not in done)
        return [*((each, "passed") for each in passed), *at, *rest]


@runtime_checkable
class Trier(Protocol):
    """An adapter that can tell how far a message came."""

    async def try_out(self, message: Message) -> Trial:
        """Send, as for a notification, and say what came of it.

        Ends within the adapter's own time-out, and raises nothing.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A provider as the settings have it for a channel; of them nothing that is secret."""

    name: str
    channel: Channel
    place: int
    """1 is asked first; the next ones where it cannot be."""
    settings: Mapping[str, str]
    is_testable: bool
    """Whether it hands anything to somebody else."""


def by_name(configured: Sequence[Configured]) -> Mapping[str, Sequence[Configured]]:
    """Return them by their names."""
    names = {each.name for each in configured}
    return {name: [each for each in configured if each.name == name] for name in names}


class Bench(Protocol):
    """The providers that are configured, each to be looked at by itself."""

    def configured(self) -> Sequence[Configured]:
        """All of them: by channel, in the order in which they are asked."""

    async def greet(self, name: str) -> Sequence[Part]:
        """Log in as for a message and send none; for each channel that it serves here."""

    async def try_out(self, name: str, message: Message) -> Trial:
        """Send through exactly this provider, whatever its breaker says.

        Ends within its time-out. Spends no attempt, is no evidence for its breaker, and keeps
        nothing: there is no notification.

        Raises:
            SettingsError: its adapter cannot be made.
        """
