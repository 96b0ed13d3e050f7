"""How many members of a broadcast are looked at next: no more than its queue and its rate take."""

from dataclasses import dataclass

from notifier.broadcasts.broadcast import MOST_SAVED_S, Turn

_QUICK_S = 0.05
_SLOW_S = 0.1
_LEAST = 50
_FIRST = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpansionPace:
    """How a broadcast becomes notifications.

    Of a service, `most_waiting` wait for a queue that did not get there, so that tables and turns
    stay small. Whoever took a turn has it for `hold_s`.
    """

    chunk: int = 1_000
    most_waiting: int = 20_000
    hold_s: float = 2.0
    look_every_s: float = 1.0

    @property
    def first_chunk(self) -> int:
        """How many are recorded at once before it is known how long that takes."""
        return min(self.chunk, _FIRST)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many members may be looked at, and what that spends of the rate; or how long to wait."""

    members: int
    spent_s: float = 0.0
    wait_s: float = 0.0


def allowance(turn: Turn, pace: ExpansionPace, chunk: int) -> Allowance:
    """Say how many members come next, at most `chunk`."""
    room = pace.most_waiting - turn.waiting
    if room < min(chunk, pace.most_waiting // 4):
        return Allowance(0, wait_s=pace.look_every_s)
    rate = turn.broadcast.rate_per_s
    if rate is None:
        return Allowance(min(chunk, room))
    saved = int(rate * min(turn.paced_s, MOST_SAVED_S) + 1e-6)
    if saved < 1:
        return Allowance(0, wait_s=1 / rate)
    members = min(chunk, room, saved)
    return Allowance(members, spent_s=members / rate)


def next_chunk(chunk: int, took_s: float, most: int) -> int:
    """Return how many to record at once next, where that many took so long."""
    if took_s > _SLOW_S:
        return max(min(chunk, most) // 2, min(_LEAST, most))
    return min(chunk * 2, most) if took_s < _QUICK_S else chunk
