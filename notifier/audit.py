"""Who changed what: each change that somebody asks for is noted with what it writes.

Whoever lets a change begin says so with `acting`; whoever writes finds it with `under_way`, however
far below, so that no port in between has to hand it on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from notifier.value import value


class Via(StrEnum):
    """By what door somebody came."""

    API = "api"
    CONSOLE = "console"
    COMMAND = "command"


class AuditOutcome(StrEnum):
    """What a change was answered."""

    DONE = "done"
    REFUSED = "refused"
    """It wrote something all the same: that there is no such thing, say, or half of it."""
    REPEATED = "repeated"
    """With the same Idempotency-Key as before, so that nothing was changed."""


@value
class Act:
    """A change that somebody asks for. It names no person and holds nothing that is written."""

    id: UUID
    """Time-ordered (UUIDv7)."""
    via: Via
    actor: str
    """The id of an API key; of a command, the login of who ran it."""
    service: str | None
    """The key's; None: a command's."""
    action: str
    """The name of the operation in OpenAPI, or the words of the command."""
    target: str
    """What is changed: a path, or what a command names. Persons are keyed hashes in it."""
    source: str
    """The network address that it came from, or the machine."""
    request_id: str | None = None


class Acting:
    """An act that is under way."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.is_noted = False
        """Whether anything that it writes was written with a note of it."""


_UNDER_WAY: ContextVar[Acting | None] = ContextVar("notifier.act", default=None)


@contextmanager
def acting(act: Act) -> Iterator[Acting]:
    """Have what is written meanwhile noted as what came of `act`."""
    under_way = Acting(act)
    token = _UNDER_WAY.set(under_way)
    try:
        yield under_way
    finally:
        _UNDER_WAY.reset(token)


def under_way() -> Acting | None:
    """Return the act that what is written now comes of, if it comes of one."""
    return _UNDER_WAY.get()


def concerning(whom: str) -> None:
    """Add whom the act under way concerns to what it is about: a keyed hash, and never a name."""
    under = under_way()
    if under is not None:
        under.act = replace(under.act, target=f"{under.act.target} {whom}".strip())


@value
class AuditEntry:
    """An act that wrote something, and what it was answered; `at` is aware UTC."""

    act: Act
    at: datetime
    outcome: AuditOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; None: any."""

    service: str | None = None
    actor: str | None = None
    action: str | None = None
    via: Via | None = None
    outcome: AuditOutcome | None = None
    since: datetime | None = None
    before: datetime | None = None


class AuditLog(Protocol):
    """What was noted. Entries are added with what they are about, and never changed otherwise."""

    async def list(
        self, filter: AuditFilter, *, limit: int, after: UUID | None
    ) -> Sequence[AuditEntry]:
        """The newest that match, of those before `after`."""

    async def note(self) -> None:
        """Note the act under way, which writes nothing else."""

    async def end(self, id: UUID, outcome: AuditOutcome) -> None:
        """Say what an act was answered that was not done."""

    async def purge(self) -> int:
        """Forget entries that are too old; returns how many."""
