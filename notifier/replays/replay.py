"""A replay: failed notifications that are tried again at a rate, and can be taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Status
from notifier.notification.reading import NotificationFilter

DEFAULT_RATE_PER_S = 50
MAX_RATE_PER_S = 1_000
MAX_IDS = 1_000
MAX_REASON_CHARS = 200
MOST_DISCARDED = 1_000
"""How many letters one call discards at most."""
MOST_SAVED_S = 2.0
"""How much of its rate a replay may not have used, and make up for."""


class State(StrEnum):
    """Where a replay stands."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """No more are tried again; those that were go on."""
    DONE = "done"
    """All that were selected were looked at."""
    UNDOING = "undoing"
    """What is not sent yet is made failed again."""
    UNDONE = "undone"


COMES_FROM: Mapping[State, frozenset[State]] = {
    State.PAUSED: frozenset({State.RUNNING}),
    State.RUNNING: frozenset({State.PAUSED}),
    State.STOPPED: frozenset({State.RUNNING, State.PAUSED}),
    State.UNDOING: frozenset({State.RUNNING, State.PAUSED, State.STOPPED, State.DONE}),
}
"""What somebody may ask of a replay, and in which states."""
UNDER_WAY = (State.RUNNING, State.PAUSED, State.UNDOING)


class Skip(StrEnum):
    """Why a letter that is selected is not tried again."""

    ERASED = "erased"
    """What it said is erased."""
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    """Its recipient is on the suppression list."""
    MOVED = "moved"
    """Somebody else replayed it at that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which failed notifications; of every service where that is None.

    With `ids` only those that match besides. What was discarded is left out unless asked for.
    """

    service: str | None
    filter: NotificationFilter = field(default_factory=NotificationFilter)
    ids: frozenset[UUID] = frozenset()
    with_discarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why notifications failed: what those of a group have in common."""

    service: str
    channel: Channel
    provider: str | None
    error_code: str | None
    template: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Failed notifications of one cause."""

    cause: Cause
    letters: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a selection holds, the largest group first.

    Where it `is_part`, the newest failed ones were looked at, and there are more.
    """

    groups: Sequence[Group]
    skipped: Mapping[Skip, int]
    is_part: bool

    @property
    def selected(self) -> int:
        """How many letters there are."""
        return sum(group.letters for group in self.groups)

    @property
    def expected(self) -> int | None:
        """How many letters a replay will find; None: more than were counted."""
        return None if self.is_part else self.selected

    @property
    def replayable(self) -> int:
        """How many of them would be tried again now."""
        return self.selected - sum(self.skipped.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is to be tried again, how fast, and who asked for it."""

    id: UUID
    """A UUIDv7."""
    selection: Selection
    rate_per_s: int
    begun_by: str
    expected: int | None
    """How many letters were selected when it began; None: more than were counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the letters that were looked at."""

    replayed: int = 0
    skipped: Mapping[Skip, int] = field(default_factory=dict)
    undone: int = 0

    @property
    def selected(self) -> int:
        """How many were looked at and matched."""
        return self.replayed + sum(self.skipped.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReplay(Replay):
    """A replay, and how far it is."""

    state: State
    counts: Counts
    by_status: Mapping[Status, int] = field(default_factory=dict)
    """Where those stand that nobody has replayed again or taken back; of one that was asked for."""
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The replay's state does not allow it; nothing was changed."""

    state: State


class ReplayStore(Protocol):
    """Replays, as those who begin them see them. `service` None means: of every service."""

    async def begin(
        self, replay: Replay, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        """Store it; a relay works it off from now on.

        Only what had failed by then is tried again, and each once.
        """

    async def get(self, id: UUID, *, service: str | None) -> StoredReplay | NotFound:
        """Return one."""

    async def list(
        self, *, service: str | None, limit: int, after: UUID | None
    ) -> Sequence[StoredReplay]:
        """The newest first; `after` is the last one seen."""

    async def move(
        self,
        id: UUID,
        to: State,
        *,
        service: str | None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | Refused | NotFound:
        """Pause, resume (to RUNNING), stop or undo it; what is so already stays so."""

    async def under_way(self) -> Mapping[State, int]:
        """Return how many of all services have not ended, by state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The first letters of a selection; where it `goes_on_after` an id, there may be more."""

    ids: Sequence[UUID]
    goes_on_after: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """What is sent instead of a letter."""

    letter: UUID
    submission: Submission


class Letters(Protocol):
    """Dead letters, as those who mend things see them."""

    async def survey(self, selection: Selection) -> Survey:
        """Group the newest that match; its cost has a bound, however many there are."""

    async def discard(self, selection: Selection, *, reason: str, by: str) -> int:
        """Take some letters out of the dead queues for good; returns how many.

        Their records stay failed, and say why. At most MOST_DISCARDED at once.
        """

    async def pick(self, selection: Selection, *, limit: int, after: UUID | None) -> Pick:
        """Return the oldest that match, of those after the last one seen. Its cost has a bound."""

    async def succeed(self, successors: Sequence[Successor], *, by: str) -> int:
        """Accept what is sent instead of letters, and discard these; returns how many.

        A letter that is none any more, or was discarded, has no successor. All of it happens, or
        nothing. A relay publishes them.
        """


class Replaying(Protocol):
    """What working replays off asks of the database. Any number may ask at once."""

    async def step(self, limit: int) -> bool:
        """Try again what is next of one replay, and note its place; whether there was one.

        All of it happens, or nothing.
        """

    async def undo(self, limit: int) -> bool:
        """Take some back of one replay that is being undone; whether there was one."""
