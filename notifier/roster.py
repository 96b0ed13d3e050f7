"""The roster: which of notifier's OS processes run, what each is at, and which are to take no more.

Every process writes down every few seconds how it is, and learns from that what operators ask of
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.value import value

BEAT_S: Final = 3.0
"""How often a process writes down how it is."""
LATE_S: Final = 15.0
"""One that was not heard of for longer is late: it hangs, was killed, or has no database."""
FORGOTTEN_S: Final = 3_600.0
"""One that was not heard of for longer is forgotten."""
MAX_ATTEMPTS: Final = 100
"""How many of its current attempts a process names."""


class Role(StrEnum):
    """What a process does."""

    API = "api"
    RUNNER = "runner"
    """Starts workers and watches them; relays."""
    WORKER = "worker"
    ONE_PROCESS = "one_process"
    """The API with the workers inside."""


class State(StrEnum):
    """How a process last said that it is."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    """It takes nothing more, and finishes what it holds."""
    DRAINED = "drained"
    """It holds nothing, and takes nothing until it is taken back."""
    STOPPED = "stopped"


CONSUMING: Final = frozenset({Role.WORKER, Role.ONE_PROCESS})
"""Those that take notifications, and can be drained."""


@value
class Identity:
    """Which process it is, as long as it lives."""

    name: str
    """Another one for each process, on however many machines and after however many restarts."""
    role: Role
    host: str
    pid: int
    version: str
    runner: str | None = None
    """The name of the process that started it."""


@value
class Seen:
    """What a process says of itself at a beat."""

    state: State
    up_s: float
    """For how long it has been running."""
    consumes: Sequence[str] = ()
    """The channels and lanes that it takes from, such as `email.high`."""
    slots: int = 0
    busy: int = 0
    """How many of its slots are taken."""
    attempts: Sequence[UUID] = ()
    """The notifications in them; `MAX_ATTEMPTS` at most."""
    handled: int = 0
    """How many it has done with since it started, whatever became of them."""
    memory_bytes: int = 0
    """The most memory that it ever held."""
    drains: bool = False
    """Whether it goes by a request to drain."""
    restarts: int = 0
    """Of a worker, how often its runner had to start one in its place before it; of a runner, how
    often it had to start any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, as it was last heard of; times are the database's, aware UTC."""

    identity: Identity
    seen: Seen
    started_at: datetime
    beat_at: datetime
    silent_s: float
    """Since its last beat."""
    is_to_drain: bool
    """Whether it is asked to take nothing more."""

    @property
    def is_late(self) -> bool:
        """Whether it should have been heard of since."""
        return self.seen.state is not State.STOPPED and self.silent_s > LATE_S

    @property
    def word(self) -> str:
        """How it is in a word: its state, or `late`."""
        return "late" if self.is_late else self.seen.state.value


@dataclass(frozen=True, slots=True)
class CannotDrain:
    """The process does not take notifications, or no longer."""

    reason: str


class Roster(Protocol):
    """Keeps what processes say of themselves, as long as they are not forgotten."""

    async def beat(self, identity: Identity, seen: Seen) -> bool:
        """Write down how a process is; returns whether it is to drain."""

    async def end(self, name: str) -> None:
        """Write down that a process has stopped."""

    async def list(self, *, limit: int, after: str | None = None) -> Sequence[Process]:
        """Return a page of them, by their names: what a runner started stands together."""

    async def drain(
        self, name: str, *, is_wanted: bool, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused | NotFound | CannotDrain:
        """Ask a process to take nothing more, or to take again; it hears of it with its next beat.

        What it holds it finishes. It goes on running, and takes nothing until it is taken back.
        """

    async def purge(self) -> int:
        """Forget those that were not heard of for long; returns how many."""
