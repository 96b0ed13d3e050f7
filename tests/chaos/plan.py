"""What goes wrong, and when: a plan that follows from its seed."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


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
}
LINKS = ("workers-database", "workers-broker", "api-database", "api-broker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault to come: `at_s` after the load began, to last `hold_s` where it lasts.

    `choice` in [0, 1) picks what it hits.
    """

    kind: Kind
    at_s: float
    hold_s: float
    choice: float

    def pick(self, candidates: list[str]) -> str:
        """The one of `candidates` that it hits."""
        return candidates[int(self.choice * len(candidates))]


def make_plan(
    seed: int, faults: int, duration_s: float, lease_s: float, *, own_broker: bool = True
) -> list[Planned]:
    """Plan so many faults over `duration_s`: one of each kind first, then by weight.

    The freeze, which lasts beyond the lease, comes first.
    """
    random = Random(seed)  # noqa: S311  repeatable
    kinds = [kind for kind in Kind if own_broker or kind not in NEED_OWN_BROKER]
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
    """Long enough to hurt, and longer in longer runs."""
    match kind:
        case Kind.RUNNER_FROZEN:
            return lease_s + _between(4, duration_s / 15, 70)
        case Kind.PROVIDER_FAILING:
            return _between(4, duration_s / 15, 60)
        case Kind.MEMORY_ALARM:
            return _between(4, duration_s / 15, 60)
        case Kind.LINK_STALLED:
            return _between(5, duration_s / 20, 40)
        case Kind.LINK_CUT:
            return _between(2, duration_s / 30, 15)
        case _:
            return 0


def _between(least: float, wish: float, most: float) -> float:
    return min(max(least, wish), most)
