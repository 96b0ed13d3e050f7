"""What goes wrong, and when: a plan that follows from its seed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypeVar

A = TypeVar("A")


class Kind(StrEnum):
    """A kind of fault."""

    WORKER_KILLED = "worker killed"
    RUNNER_KILLED = "runner killed"
    RUNNER_FROZEN = "runner frozen"
    API_KILLED = "API killed"
    RUNNER_STOPPED = "runner stopped"
    ALL_STOPPED = "all stopped in turn"
    PROVIDER_FAILING = "provider failing, and all stopped in turn"
    BROKER_KILLED = "broker killed"
    MEMORY_ALARM = "memory alarm"
    QUEUES_PURGED = "queues purged"
    DATABASE_RESTARTED = "database restarted"
    LINK_CUT = "link cut"
    LINK_STALLED = "link stalled"
    NODE_KILLED = "node killed"
    LEADERS_KILLED = "node with most leaders killed"
    NODE_FROZEN = "node frozen"
    MINORITY = "two of three nodes killed"
    ROLLING_RESTART = "nodes restarted in turn"
    PRIMARY_KILLED = "primary killed, standby promoted"
    STANDBY_AWAY = "standby away"
    PRIMARY_KILLED_ALONE = "primary killed while its standby was away"
    RUNNER_CUT_OFF = "runner cut off from the database"


_NEED_CLUSTER = frozenset(
    {
        Kind.NODE_KILLED, Kind.LEADERS_KILLED, Kind.NODE_FROZEN, Kind.MINORITY,
        Kind.ROLLING_RESTART, Kind.PRIMARY_KILLED, Kind.STANDBY_AWAY, Kind.PRIMARY_KILLED_ALONE,
        Kind.RUNNER_CUT_OFF,
    }
)  # fmt: skip
KINDS_OF_ONE = frozenset(Kind) - _NEED_CLUSTER
KINDS_OF_CLUSTER = frozenset(Kind) - {Kind.BROKER_KILLED}
NEED_OWN_BROKER = frozenset({Kind.BROKER_KILLED, Kind.MEMORY_ALARM})
_WEIGHTS = {
    Kind.WORKER_KILLED: 50,
    Kind.RUNNER_KILLED: 6,
    Kind.RUNNER_FROZEN: 0,
    Kind.API_KILLED: 10,
    Kind.RUNNER_STOPPED: 10,
    Kind.ALL_STOPPED: 4,
    Kind.PROVIDER_FAILING: 2,
    Kind.BROKER_KILLED: 4,
    Kind.MEMORY_ALARM: 1,
    Kind.QUEUES_PURGED: 4,
    Kind.DATABASE_RESTARTED: 2,
    Kind.LINK_CUT: 8,
    Kind.LINK_STALLED: 5,
    Kind.NODE_KILLED: 6,
    Kind.LEADERS_KILLED: 6,
    Kind.NODE_FROZEN: 3,
    Kind.MINORITY: 2,
    Kind.ROLLING_RESTART: 2,
    Kind.PRIMARY_KILLED: 6,
    Kind.STANDBY_AWAY: 3,
    Kind.PRIMARY_KILLED_ALONE: 3,
    Kind.RUNNER_CUT_OFF: 4,
}

# Long enough to hurt, and longer in longer runs: at least so many seconds, that part of the
# duration, and at most so many seconds.
_HOLDS = {
    Kind.RUNNER_FROZEN: (4, 15, 70),
    Kind.PROVIDER_FAILING: (4, 15, 60),
    Kind.MEMORY_ALARM: (4, 15, 60),
    Kind.LINK_STALLED: (5, 20, 40),
    Kind.LINK_CUT: (2, 30, 15),
    Kind.NODE_KILLED: (5, 40, 15),
    Kind.LEADERS_KILLED: (5, 40, 15),
    Kind.NODE_FROZEN: (20, 30, 30),
    Kind.MINORITY: (20, 30, 30),
    Kind.PRIMARY_KILLED: (2, 60, 5),
    Kind.STANDBY_AWAY: (5, 40, 15),
    Kind.PRIMARY_KILLED_ALONE: (10, 40, 20),
    Kind.RUNNER_CUT_OFF: (5, 20, 30),
}
_BEYOND_LEASE = frozenset({Kind.RUNNER_FROZEN, Kind.RUNNER_CUT_OFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault to come: `at_s` after the load began, to last `hold_s` where it lasts.

    `choice` in [0, 1) picks what it hits.
    """

    kind: Kind
    at_s: float
    hold_s: float
    choice: float

    def pick(self, candidates: Sequence[A]) -> A:
        """The one of `candidates` that it hits."""
        return candidates[int(self.choice * len(candidates))]


def make_plan(
    seed: int, faults: int, duration_s: float, lease_s: float, kinds: Collection[Kind]
) -> list[Planned]:
    """Plan so many faults over `duration_s`: one of each of `kinds` first, then by weight.

    The freeze of a runner, which lasts beyond the lease, comes first.
    """
    random = Random(seed)  # noqa: S311  repeatable
    kinds = [kind for kind in Kind if kind in kinds]
    first = random.sample(kinds, len(kinds))
    first.sort(key=lambda kind: kind is not Kind.RUNNER_FROZEN)
    more = random.choices(kinds, [_WEIGHTS[kind] for kind in kinds], k=max(0, faults - len(first)))
    chosen = first[:faults] + more
    if len(chosen) > len(kinds):
        chosen[1:] = random.sample(chosen[1:], len(chosen) - 1)
    gap_s = duration_s / (len(chosen) + 1)
    return [
        Planned(
            kind=kind,
            at_s=gap_s * (index + random.uniform(0.6, 1.4)),
            hold_s=_hold_s(kind, duration_s, lease_s),
            choice=random.random(),
        )
        for index, kind in enumerate(chosen)
    ]


def _hold_s(kind: Kind, duration_s: float, lease_s: float) -> float:
    least, share, most = _HOLDS.get(kind, (0, 1, 0))
    return (lease_s if kind in _BEYOND_LEASE else 0) + min(max(least, duration_s / share), most)
