"""Three ledgers compared: what clients were told, what the database holds, what arrived."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from notifier.notification.model import Status
from tools.chaos.journal import Entry
from tools.chaos.load import Accepted
from tools.chaos.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgers:
    """The three of them; the inbox is the in-app channel's journal."""

    accepted: Sequence[Accepted]
    records: Sequence[Record]
    journal: Sequence[Entry]

    def handovers(self) -> Mapping[str, Sequence[Entry]]:
        """What was handed over, by notification, in order of time."""
        found: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.journal:
            if entry.is_handover:
                found[entry.id].append(entry)
        return {id: sorted(entries, key=_time_of) for id, entries in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Where the ledgers differ. Each holds ids, but for the counts.

    `lost` were accepted and neither handed over nor in a final state that explains why not.
    `never_accepted` are in the database though no client was told so, `unknown` were handed over
    though the database has no such record, and `told_twice` stand for two requests of clients.
    """

    accepted: int
    by_status: Mapping[Status, int]
    lost: Sequence[str]
    stuck: Sequence[str]
    never_accepted: Sequence[str]
    unknown: Sequence[str]
    told_twice: Sequence[str]
    doubled: Mapping[str, Sequence[Entry]]

    @property
    def duplicates(self) -> int:
        """Hand-overs beyond the first of each notification."""
        return sum(len(entries) - 1 for entries in self.doubled.values())

    @property
    def is_balanced(self) -> bool:
        """Whether nothing is missing and every accepted notification is in one state."""
        wrong = (self.lost, self.stuck, self.never_accepted, self.unknown, self.told_twice)
        return not any(wrong) and self.accepted == sum(self.by_status.values())


def compare(ledgers: Ledgers) -> Comparison:
    """Compare the ledgers."""
    told = Counter(accepted.id for accepted in ledgers.accepted)
    records = {record.id: record for record in ledgers.records}
    handovers = ledgers.handovers()
    refused = {entry.id for entry in ledgers.journal if entry.answer == "never"}
    return Comparison(
        accepted=len(told),
        by_status=dict(Counter(record.status for record in ledgers.records)),
        lost=[id for id in told if _is_lost(id, records.get(id), handovers, refused)],
        stuck=[id for id in told if id in records and not records[id].status.is_final],
        never_accepted=[id for id in records if id not in told],
        unknown=[id for id in handovers if id not in records],
        told_twice=[id for id, times in told.items() if times > 1],
        doubled={id: entries for id, entries in handovers.items() if len(entries) > 1},
    )


def _is_lost(
    id: str,
    record: Record | None,
    handovers: Mapping[str, Sequence[Entry]],
    refused: Iterable[str],
) -> bool:
    if id in handovers:
        return False
    return record is None or (record.status.is_final and not _explains(record, id in refused))


def _explains(record: Record, was_refused: bool) -> bool:  # noqa: FBT001
    """Whether a record that was handed to nobody says rightly why."""
    match record.status:
        case Status.FAILED:
            return was_refused and record.fault_kind == "permanent"
        case Status.EXPIRED:
            return record.expires_at is not None and _ended_after(record, record.expires_at)
        case _:
            return False


def _ended_after(record: Record, at: float) -> bool:
    return record.finished_at is not None and record.finished_at >= at


def _time_of(entry: Entry) -> float:
    return entry.at
