"""What happens in a world, as plain data: from a seed, or from a file that keeps a finding."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from tests.simulation.epoch import CHANGES, EPOCH_S

_BEFORE_S = 90.0
_WEEKEND_S = 2.6 * 86_400


class Kind(StrEnum):
    """What goes wrong, or what an operator does."""

    KILL = "kill"
    STOP = "stop"
    FREEZE = "freeze"
    CLOCK = "clock"
    DATABASE_AWAY = "database away"
    DATABASE_BUSY = "database busy"
    DATABASE_SLOW = "database slow"
    ANSWER_LOST = "answer lost"
    DATABASE_CUT = "database cut"
    DATABASE_PARTED = "database parted"
    DATABASE_FROZEN = "database frozen"
    ROW_BUSY = "row busy"
    ROW_REFUSED = "row refused"
    PROVIDER_WEATHER = "provider weather"
    BROKER_AWAY = "broker away"
    BROKER_CUT = "broker cut"
    BROKER_FROZEN = "broker frozen"
    CONSUMERS_FORGOTTEN = "consumers forgotten"
    ALARM = "alarm"
    PUBLISHES_REFUSED = "publishes refused"
    CONFIRMS_HELD = "confirms held"
    CONFIRM_LOST = "confirm lost"
    PURGE = "purge"
    QUEUE_DELETED = "queue deleted"
    LETTERS_MOVED = "letters moved"
    PAUSE = "pause"
    REPLAY = "replay"
    REPLAYS = "replays"
    CANCEL = "cancel"
    SUPPRESS = "suppress"
    PUBLISH = "publish"
    CHOOSE = "choose"
    QUIET = "quiet hours"
    MOVE = "move"
    LEAVE = "leave"
    MEMBERS = "members"
    BROADCAST = "broadcast"
    SCHEDULE = "schedule"
    EVENTS = "events"
    ERASE = "erase"
    MERGE = "merge"
    DAYS = "days"
    DECLARE = "declare"


STORE = {
    Kind.DATABASE_AWAY,
    Kind.DATABASE_BUSY,
    Kind.DATABASE_SLOW,
    Kind.ANSWER_LOST,
    Kind.DATABASE_CUT,
    Kind.DATABASE_PARTED,
    Kind.DATABASE_FROZEN,
    Kind.ROW_BUSY,
}
"""What goes wrong with the database, and may keep a process from recording something."""

STOPPING = {Kind.KILL, Kind.FREEZE, Kind.STOP, Kind.DAYS, *STORE}
"""What may keep a process from knowing, or recording, anything."""

AUDIENCE = {
    Kind.CHOOSE,
    Kind.QUIET,
    Kind.MOVE,
    Kind.LEAVE,
    Kind.MEMBERS,
    Kind.BROADCAST,
    Kind.SCHEDULE,
    Kind.EVENTS,
    Kind.ERASE,
    Kind.MERGE,
    Kind.DECLARE,
}
"""What people do, or their service for them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `who` picks among those it may befall, `for_s` and `level` as its kind needs."""

    at_s: float
    kind: Kind
    who: float
    for_s: float
    level: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A world. `order` seeds all that is left to chance: turns, latencies, the providers."""

    order: int
    load: int
    notifications: int
    load_s: float
    apis: int
    runners: int
    children: int
    consumers: int
    providers: int
    lease_s: float
    grace_s: float
    on_unknown: str
    weather: float
    """How much of what they get the providers do not simply take."""
    is_reported: bool
    """Whether a provider calls back."""
    one_process: bool
    faults: Sequence[Fault]
    batch: int = 1
    """How many notifications a client sends at once."""
    templated: float = 0.0
    """How many of the notifications are of a template."""
    to_people: float = 0.0
    """How many of them are to people of the directory, with categories."""
    by_broker: float = 0.0
    """How many of the events are published to the broker."""

    def as_data(self) -> dict[str, Any]:
        """The plan as JSON has it."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Plan":
        """The plan that was written down."""
        faults = [Fault(**{**each, "kind": Kind(each["kind"])}) for each in data["faults"]]
        return cls(**{**data, "faults": faults})

    @property
    def binds_events(self) -> bool:
        """Whether events come by the broker, too."""
        return self.by_broker > 0 and not self.one_process

    @property
    def is_possible(self) -> bool:
        """Whether there is anything to do, and anybody to do it."""
        return self.notifications > 0 and self.consumers > 0

    @property
    def ends_s(self) -> float:
        """When the last fault is over, and all that clients send was sent."""
        return max([self.load_s, *(fault.at_s + fault.for_s for fault in self.faults)])


def plan_of(seed: int, only: Sequence[Kind] = ()) -> Plan:
    """The plan of a seed; with `only`, its faults are of these kinds.

    Half of the plans are aimed at one or two kinds, the others mix several.
    """
    chance = random.Random(seed)
    load_s = chance.choice((1.0, 10.0, 40.0))
    kinds = list(only) or chance.sample(list(Kind), chance.choice((1, 2, 3, 6)))
    is_one_process = chance.random() < 0.1
    is_about_people = not AUDIENCE.isdisjoint(kinds)
    return Plan(
        order=seed,
        load=seed,
        notifications=chance.choice((3, 10, 30, 80)),
        load_s=load_s,
        apis=1 if is_one_process else chance.choice((1, 2)),
        runners=chance.choice((1, 2)),
        children=chance.choice((1, 2)),
        consumers=chance.choice((1, 2, 4, 8)),
        providers=chance.choice((1, 2)),
        lease_s=chance.choice((25.0, 60.0)),
        grace_s=chance.choice((2.0, 10.0, 45.0)),
        weather=chance.choice((0.0, 0.0, 0.1, 0.4)),
        is_reported=chance.random() < 0.5,
        on_unknown=chance.choice(("resend", "hold")),
        one_process=is_one_process,
        faults=sorted(
            (_fault(chance, kinds, load_s) for _ in range(chance.randint(1, 9))),
            key=lambda fault: fault.at_s,
        ),
        batch=chance.choice((1, 1, 1, 5)),
        templated=chance.choice((0.0, 0.0, 0.5)),
        to_people=chance.choice((0.5, 1.0) if is_about_people else (0.0, 0.0, 0.0, 0.5)),
        by_broker=chance.choice((0.0, 0.5, 1.0)) if Kind.EVENTS in kinds else 0.0,
    )


def _fault(chance: random.Random, kinds: Sequence[Kind], load_s: float) -> Fault:
    fault = Fault(
        at_s=round(chance.uniform(1.0, load_s + 6), 3),
        kind=chance.choice(kinds),
        who=round(chance.random(), 3),
        for_s=round(chance.choice((0.5, 3.0, 10.0, 30.0)) * chance.uniform(0.5, 1.5), 3),
        level=round(chance.random(), 3),
    )
    return fault if fault.kind is not Kind.DAYS else replace(fault, for_s=_days_s(fault))


def _days_s(fault: Fault) -> float:
    """Return how long it is until just before clocks are changed, or a weekend."""
    which = int(fault.level * (len(CHANGES) + 1))
    if which >= len(CHANGES):
        return _WEEKEND_S
    *_, changed = CHANGES[which]
    return changed.timestamp() - EPOCH_S - _BEFORE_S - fault.at_s


def smaller(plan: Plan) -> Sequence[Plan]:
    """Plans that are a step smaller: a fault less, fewer notifications, processes, consumers."""
    fewer = [
        replace(plan, faults=[*plan.faults[:index], *plan.faults[index + 1 :]])
        for index in range(len(plan.faults))
    ]
    lower = [
        replace(plan, notifications=plan.notifications // 2),
        replace(plan, notifications=plan.notifications - 1),
        replace(plan, consumers=1),
        replace(plan, consumers=plan.consumers // 2),
        replace(plan, children=1),
        replace(plan, runners=1),
        replace(plan, apis=1),
        replace(plan, providers=1),
        replace(plan, batch=1),
        replace(plan, templated=0.0),
        replace(plan, to_people=0.0),
        replace(plan, by_broker=0.0),
    ]
    return [*fewer, *(each for each in lower if each != plan and each.is_possible)]
