"""What becomes of the members of a broadcast, one by one and counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from notifier.broadcasts.broadcast import Counts, StoredBroadcast, notification_id
from notifier.intake.ports import Submission
from notifier.notification.outcomes import SUPPRESSED


class Fate(StrEnum):
    """What becomes of one member; the names of the counts."""

    ACCEPTED = "accepted"
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"
    WITHOUT_ADDRESS = "without_address"
    FAILED = "failed"
    EXCLUDED = "excluded"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Looked:
    """A member that was looked at. `why` repeats nothing of theirs."""

    user_id: str
    fate: Fate
    submission: Submission | None = None
    why: str | None = None


def counted(counts: Counts, looked: Sequence[Looked]) -> Counts:
    """Add what can be known of members before they are accepted."""
    fates = Counter(each.fate for each in looked)
    return replace(
        counts,
        members=counts.members + len(looked),
        unknown=counts.unknown + fates[Fate.UNKNOWN],
        without_address=counts.without_address + fates[Fate.WITHOUT_ADDRESS],
        failed=counts.failed + fates[Fate.FAILED],
        excluded=counts.excluded + fates[Fate.EXCLUDED],
        repeated=counts.repeated + fates[Fate.REPEATED],
    )


def each_once(looked: Sequence[Looked]) -> Sequence[Looked]:
    """Return them as they are accepted: of members who are one person, the first one is."""
    found: list[Looked] = []
    seen: set[str] = set()
    for each in looked:
        person = _person(each, each.submission) if each.submission else None
        is_repeated = person is not None and person in seen
        found.append(Looked(each.user_id, Fate.REPEATED) if is_repeated else each)
        seen |= {person} if person is not None else set()
    return found


def reasons(looked: Sequence[Looked]) -> Mapping[str, int]:
    """Count why members are suppressed."""
    fates = (each.why or SUPPRESSED for each in looked if each.fate is Fate.SUPPRESSED)
    return dict(Counter(fates))


def submissions(broadcast: StoredBroadcast, looked: Sequence[Looked]) -> Sequence[Submission]:
    """Return what is to be accepted, under ids that never change."""
    return [
        replace(
            each.submission,
            id=notification_id(broadcast, _person(each, each.submission)),
            broadcast_id=broadcast.id,
        )
        for each in looked
        if each.submission
    ]


def _person(looked: Looked, submission: Submission) -> str:
    to = submission.addressee
    return to.user_id if to and to.user_id else looked.user_id
