"""One attempt: the lease it is made under, and how far it came."""

from dataclasses import dataclass

from notifier.delivery.judging import fault_of
from notifier.delivery.ports import Claimed, Miss
from notifier.notification.outcomes import Outcome, Transient, Unknown, Withheld

STOPPED = Transient("interrupted", "the worker was shut down before the call")
CUT_OFF = Unknown("interrupted", "the worker was shut down during the call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """How long a worker may hold a notification, and its database calls.

    `send_timeout_s` ends well before `duration_s`. A worker that cannot reach the database to
    claim keeps its message until it is told to let go, asking again at least every `probe_s`.
    What it sent it tries to record as often, for `finish_patience_s`: while the database is away
    nobody rescues, and who comes first when it is back saves a duplicate. Once told to stop it
    tries for `stop_patience_s` more.
    """

    held_by: str
    duration_s: float = 60
    send_timeout_s: float = 40
    probe_s: float = 1
    finish_patience_s: float = 300
    stop_patience_s: float = 10


@dataclass(frozen=True, slots=True)
class Held:
    """What was claimed, and when the claim was asked for: all its times run from then on."""

    claimed: Claimed
    since_s: float


@dataclass(slots=True)
class Handover:
    """What to record if the attempt ends now, however it does.

    The provider that was asked last, what came of it, and those missed before.
    """

    provider: str
    outcome: Outcome | Withheld = STOPPED
    misses: tuple[Miss, ...] = ()

    @property
    def has_answer(self) -> bool:
        """Whether some provider was asked, or found barred."""
        return self.outcome is not STOPPED

    def ask(self, provider: str) -> None:
        """Go on to a provider: until it answers it may have taken the notification."""
        if self.has_answer:
            self.misses += (_miss(self),)
        self.provider, self.outcome = provider, CUT_OFF


def _miss(handover: Handover) -> Miss:
    fault = fault_of(handover.outcome)
    assert fault is not None  # noqa: S101  what was sent is not missed
    return Miss(provider=handover.provider, fault=fault)
