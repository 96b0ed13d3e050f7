"""Why something was handed over twice: each duplicate's cause, and how many there may be."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tools.chaos.faults import Fault
from tools.chaos.journal import Entry
from tools.chaos.plan import Kind
from tools.chaos.records import Event

# Between what a process did last and the moment that its killer wrote down.
_SLACK_S = 2


class Cause(StrEnum):
    """What left an attempt's outcome unknown, so that the notification was handed over again."""

    SILENCE = "provider did not answer"
    WORKER_KILLED = "worker killed during the call"
    RUNNER_KILLED = "runner killed during the call"
    FROZEN = "runner frozen beyond its leases"
    NOT_RECORDED = "database away at the finish"
    UNEXPLAINED = "unexplained"


_BY_KIND = {
    Kind.WORKER_KILLED: Cause.WORKER_KILLED,
    Kind.RUNNER_KILLED: Cause.RUNNER_KILLED,
    Kind.RUNNER_FROZEN: Cause.FROZEN,
    Kind.DATABASE_RESTARTED: Cause.NOT_RECORDED,
    Kind.PRIMARY_KILLED: Cause.NOT_RECORDED,
    Kind.PRIMARY_KILLED_ALONE: Cause.NOT_RECORDED,
    Kind.RUNNER_CUT_OFF: Cause.NOT_RECORDED,
}
_KILLS = (Cause.WORKER_KILLED, Cause.RUNNER_KILLED)
_LATE = (Cause.FROZEN, Cause.NOT_RECORDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt as its timeline tells it; `ending` is None while none was recorded."""

    number: int
    began_at: float
    ending: Event | None
    was_completed_late: bool

    @property
    def is_unknown(self) -> bool:
        """Whether the provider may have taken it without notifier knowing."""
        return self.ending is None or self.ending.fault_kind == "unknown"

    @property
    def was_recorded(self) -> bool:
        """Whether its worker itself recorded what came of it."""
        return self.ending is not None and self.ending.fault_code != "lease_ended"


def attempts_of(timeline: Sequence[Event]) -> list[Attempt]:
    """The attempts of a notification, oldest first."""
    endings = {
        event.attempt: event
        for event in reversed(timeline)
        if event.event in ("succeed", "retry", "fail", "interrupt", "snooze", "rescue", "expire")
    }
    late = {event.attempt for event in timeline if event.event == "late_completion"}
    return [
        Attempt(
            number=event.attempt,
            began_at=event.at,
            ending=endings.get(event.attempt),
            was_completed_late=event.attempt in late,
        )
        for event in timeline
        if event.event == "claim"
    ]


def causes_of(
    entries: Sequence[Entry], timeline: Sequence[Event], faults: Collection[Fault]
) -> list[Cause]:
    """One cause for each hand-over beyond the first, from the attempts of unknown outcome.

    An attempt hands over once at most. So whatever cannot be laid on an attempt whose outcome
    stayed unknown is unexplained: nothing entitled notifier to hand it over again.
    """
    doubtful = [attempt for attempt in attempts_of(timeline) if attempt.is_unknown]
    causes = [_cause_of(attempt, entries, faults) for attempt in doubtful]
    # Attempts that never came as far as their provider explain nothing: the best fit comes first.
    causes.sort(key=lambda cause: cause is Cause.UNEXPLAINED)
    extra = len(entries) - 1
    return causes[:extra] + [Cause.UNEXPLAINED] * (extra - len(causes))


def _cause_of(attempt: Attempt, entries: Sequence[Entry], faults: Iterable[Fault]) -> Cause:
    if attempt.was_recorded and any(entry.answer == "silence" for entry in entries):
        return Cause.SILENCE
    ended_at = attempt.ending.at if attempt.ending else float("inf")
    suspects = {
        cause
        for fault in faults
        if (cause := cause_by(fault)) and _overlaps(fault, attempt.began_at, ended_at)
    }
    if attempt.was_recorded:
        # A frozen process finds its time over when it wakes, whatever was answered meanwhile.
        return Cause.FROZEN if Cause.FROZEN in suspects else Cause.UNEXPLAINED
    # Whoever completed late was not killed.
    order = (*_LATE, *_KILLS) if attempt.was_completed_late else (*_KILLS, *_LATE)
    return next((cause for cause in order if cause in suspects), Cause.UNEXPLAINED)


def cause_by(fault: Fault) -> Cause | None:
    """The cause of duplicates that a fault can be; None where it excuses none."""
    if fault.kind in (Kind.LINK_CUT, Kind.LINK_STALLED):
        return Cause.NOT_RECORDED if fault.target == "workers-database" else None
    return _BY_KIND.get(fault.kind)


def _overlaps(fault: Fault, began_at: float, ended_at: float) -> bool:
    # A kill hits what is under way at its moment; what comes after it is mending.
    over_at = fault.began_at if cause_by(fault) in _KILLS else fault.ended_at
    return fault.began_at - _SLACK_S <= ended_at and over_at + _SLACK_S >= began_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How many calls of providers may be under way at once."""

    of_worker: int
    of_runner: int
    of_all: int


def bounds(faults: Collection[Fault], journal: Iterable[Entry], slots: Slots) -> dict[Cause, int]:
    """How many duplicates of each cause there may be: what could be in flight at its faults."""
    at_once = {
        Cause.WORKER_KILLED: slots.of_worker,
        Cause.RUNNER_KILLED: slots.of_runner,
        Cause.FROZEN: slots.of_runner,
        Cause.NOT_RECORDED: slots.of_all,
    }
    times = Counter(cause for fault in faults if (cause := cause_by(fault)))
    found = {cause: times[cause] * count for cause, count in at_once.items()}
    silences = sum(entry.answer == "silence" for entry in journal)
    return {Cause.SILENCE: silences, **found, Cause.UNEXPLAINED: 0}


def count_causes(
    doubled: Mapping[str, Sequence[Entry]],
    timelines: Mapping[str, Sequence[Event]],
    faults: Collection[Fault],
) -> Counter[Cause]:
    """How many duplicates have each cause."""
    return Counter(
        cause
        for id, entries in doubled.items()
        for cause in causes_of(entries, timelines[id], faults)
    )
