"""What is left of a world at its end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.simulation.audience.erasing import Erased
from tests.simulation.audience.joining import Joined
from tests.simulation.audience.past import Past
from tests.simulation.clients import Wish
from tests.simulation.eventing.story import Publication
from tests.simulation.mending import Mended
from tests.simulation.plan import Kind, Plan
from tests.simulation.providers import Call

DEAD_S = 12.0
"""How long after its death a worker may still hold something."""
KEPT_S = 28.0
"""How long a worker without the database may keep what it cannot claim."""
LATE_S = 15.0
"""How long after its time something may still wait to expire."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A fault as it came about: whom it befell, or everybody, and until when."""

    kind: Kind
    at_s: float
    until_s: float
    whom: frozenset[str] | None

    def befalls(self, process: str) -> bool:
        """Whether it befell this process."""
        return self.whom is None or process in self.whom

    def overlaps(self, from_s: float, to_s: float) -> bool:
        """Whether it was going on at any time between these."""
        return self.at_s <= to_s and from_s <= self.until_s


@dataclass(slots=True)
class Ended:
    """The ledgers of a world: what clients were told, the database holds and providers got."""

    plan: Plan
    wishes: list[Wish] = field(default_factory=list)
    joined: list[Joined] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    mended: list[Mended] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    junk: list[str] = field(default_factory=list)
    """What was published to the broker, and is no event."""
    refused_events: list[str] = field(default_factory=list)
    """What the dead queue of events holds."""
    journal: list[Call] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    log: list[Mapping[str, Any]] = field(default_factory=list)
    records: list[Mapping[str, Any]] = field(default_factory=list)
    timeline: list[Mapping[str, Any]] = field(default_factory=list)
    broadcasts: list[Mapping[str, Any]] = field(default_factory=list)
    schedules: list[Mapping[str, Any]] = field(default_factory=list)
    runs: list[Mapping[str, Any]] = field(default_factory=list)
    """Of schedules."""
    replays: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    matches: list[Mapping[str, Any]] = field(default_factory=list)
    digests: list[Mapping[str, Any]] = field(default_factory=list)
    digest_items: list[Mapping[str, Any]] = field(default_factory=list)
    cap_uses: list[Mapping[str, Any]] = field(default_factory=list)
    past: Past = field(default_factory=Past)
    """What the directory said, and when; empty where nothing is sent to people."""
    versions: list[Mapping[str, Any]] = field(default_factory=list)
    """Of the template, all that were published."""
    crashes: list[str] = field(default_factory=list)
    settled_s: float | None = None
    steps: int = 0
    virtual_s: float = 0
    statements: int = 0
    kept_locked: Sequence[tuple[float, float]] = ()
    """When nobody else could write, because one process was lost in the middle of writing."""
    letters: int | None = None
    """How many dead letters the broker holds; None where it dies with its process."""
    published: list[tuple[str, str, Sequence[float]]] = field(default_factory=list)
    """The queue, the id and the times of each message that was put there more than once."""
    returns: Counter[str] = field(default_factory=Counter)
    """How often each message came back to its queue."""
    dropped: int = 0
    """What the broker had no queue for, and did not say so."""
    held_by_dead: list[tuple[str, str, float, float]] = field(default_factory=list)
    """Ids under the lease of a worker that was dead for long: by whom, its death, and when."""
    reported: list[UUID] = field(default_factory=list)
    """Of which the API took a callback that said what became of them."""
    misnoted: list[tuple[str, int, float]] = field(default_factory=list)
    """Ids and attempts that are noted as published, and that the broker never took; and when."""
    overdue: list[tuple[str, float, float]] = field(default_factory=list)
    """Ids that are pending long after they expired; when that was, and when it was seen."""
    kept: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """Since when a worker could not reach the database, and when it was seen to keep what waits."""
    again: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a worker that was asked to end was handed each message."""
    deaths: dict[str, float] = field(default_factory=dict)
    """When each worker died."""
    trace: list[str] = field(default_factory=list)
    """What happened, in words, if that was asked for."""
