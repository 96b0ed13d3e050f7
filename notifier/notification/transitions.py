"""The life of a notification: its named changes of status.

A status changes only through a `Transition`; the store refuses any change whose current status is
not one of the transition's sources.
"""

from dataclasses import dataclass

from notifier.notification.model import Status


@dataclass(frozen=True, slots=True)
class Transition:
    """A named change of status.

    `counts_attempt` is what it adds to the attempts that count against the limit: CLAIM spends
    one, and the transitions of which the notification is not to blame give it back.
    """

    name: str
    sources: frozenset[Status]
    target: Status
    counts_attempt: int = 0


def _transition(
    name: str, sources: Status | tuple[Status, ...], target: Status, counts_attempt: int = 0
) -> Transition:
    froms = frozenset({sources} if isinstance(sources, Status) else sources)
    return Transition(name, froms, target, counts_attempt)


CLAIM = _transition("claim", Status.PENDING, Status.PROCESSING, +1)
SUCCEED = _transition("succeed", Status.PROCESSING, Status.SENT)
RETRY = _transition("retry", Status.PROCESSING, Status.PENDING)
FAIL = _transition("fail", Status.PROCESSING, Status.FAILED)
INTERRUPT = _transition("interrupt", Status.PROCESSING, Status.PENDING, -1)
SNOOZE = _transition("snooze", Status.PROCESSING, Status.PENDING, -1)
DEFER = _transition("defer", Status.PROCESSING, Status.PENDING, -1)
"""Its recipient wants nothing now."""
RESCUE = _transition("rescue", Status.PROCESSING, Status.PENDING)
RECALL = _transition("recall", Status.PENDING, Status.PENDING)
"""The broker gave its message up, after more deliveries than its delivery limit allows."""
REPLAY = _transition("replay", Status.FAILED, Status.PENDING)
UNDO = _transition("undo", Status.PENDING, Status.FAILED)
"""A replay is taken back."""
CANCEL = _transition("cancel", Status.PENDING, Status.CANCELLED)
EXPIRE = _transition("expire", (Status.PENDING, Status.PROCESSING), Status.EXPIRED)
SUPPRESS = _transition("suppress", (Status.PENDING, Status.PROCESSING), Status.SUPPRESSED)
DELIVER = _transition("deliver", Status.SENT, Status.DELIVERED)
SETTLE = _transition("settle", (Status.PENDING, Status.FAILED), Status.SENT)
"""Its provider's callback said that an attempt of unknown outcome was taken after all."""
BOUNCE = _transition("bounce", (Status.SENT, Status.DELIVERED), Status.BOUNCED)

TRANSITIONS = (
    CLAIM, SUCCEED, RETRY, FAIL, INTERRUPT, SNOOZE, DEFER, RESCUE, RECALL, REPLAY, UNDO, CANCEL,
    EXPIRE, SUPPRESS, DELIVER, SETTLE, BOUNCE,
)  # fmt: skip
