"""Figures from the ledgers: latencies, recovery, and the course of the run."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tools.chaos.faults import Fault
from tools.chaos.journal import Entry
from tools.chaos.load import Accepted
from tools.chaos.plan import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """In seconds."""

    p50: float
    p99: float
    longest: float


def latency_of(seconds: Sequence[float]) -> Latency | None:
    """The percentiles of these; None of nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Latency(
        p50=round(ordered[len(ordered) // 2], 3),
        p99=round(ordered[len(ordered) * 99 // 100], 3),
        longest=round(ordered[-1], 3),
    )


def handover_seconds(
    accepted: Sequence[Accepted], handovers: Mapping[str, Sequence[Entry]]
) -> list[float]:
    """From the answer, or from the time that the client wished for, to the first hand-over."""
    return [
        max(0.0, handovers[each.id][0].at - max(each.at, each.due_at or 0))
        for each in accepted
        if each.id in handovers
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What one kind of fault did to the stream of hand-overs, at its worst, in seconds.

    `first_after_s` from the fault's end to the first hand-over after it; `longest_gap_s` without
    any hand-over, from the fault's beginning on.
    """

    times: int
    first_after_s: float
    longest_gap_s: float


def recoveries(faults: Sequence[Fault], handed_over_at: Sequence[float]) -> dict[Kind, Recovery]:
    """The recovery from each kind of fault; `handed_over_at` is in order."""
    return {
        kind: _recovery([fault for fault in faults if fault.kind is kind], handed_over_at)
        for kind in Kind
        if any(fault.kind is kind for fault in faults)
    }


def _recovery(faults: Sequence[Fault], handed_over_at: Sequence[float]) -> Recovery:
    firsts = [_first_after_s(fault.ended_at, handed_over_at) for fault in faults]
    gaps = [_longest_gap_s(fault, handed_over_at) for fault in faults]
    return Recovery(
        times=len(faults),
        first_after_s=round(max((each for each in firsts if each is not None), default=0), 2),
        longest_gap_s=round(max(gaps), 2),
    )


def _first_after_s(at: float, handed_over_at: Sequence[float]) -> float | None:
    index = bisect_left(handed_over_at, at)
    return handed_over_at[index] - at if index < len(handed_over_at) else None


def _longest_gap_s(fault: Fault, handed_over_at: Sequence[float]) -> float:
    first = bisect_left(handed_over_at, fault.began_at)
    last = bisect_right(handed_over_at, fault.ended_at)
    moments = [fault.began_at, *handed_over_at[first : last + 1]]
    return max((b - a for a, b in pairwise(moments)), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The run as it went, a point each step: seconds, and how many by then."""

    at_s: Sequence[float]
    accepted: Sequence[int]
    sent: Sequence[int]

    @property
    def backlog(self) -> Sequence[int]:
        """Accepted and not yet handed over."""
        return [max(0, a - b) for a, b in zip(self.accepted, self.sent, strict=True)]


def course_of(
    began_at: float, accepted_at: Sequence[float], first_at: Sequence[float], *, steps: int = 240
) -> Course:
    """The course from `began_at` to the last hand-over; both sequences are in order."""
    ended_at = max([began_at + 1, *accepted_at[-1:], *first_at[-1:]])
    moments = [began_at + (ended_at - began_at) * step / steps for step in range(steps + 1)]
    return Course(
        at_s=[round(moment - began_at, 2) for moment in moments],
        accepted=[bisect_right(accepted_at, moment) for moment in moments],
        sent=[bisect_right(first_at, moment) for moment in moments],
    )
