"""The audit log in the database: an entry is written in the transaction that it is about."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audit import Act, AuditEntry, AuditFilter, AuditOutcome, Via, under_way
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.paging import listed, matching, newest_first
from notifier.store.kit.sql import ID, Now, SecondsFromNow, UtcTime, parameter
from notifier.store.kit.tables import metadata

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("via", Text, nullable=False),
    Column("actor", Text, nullable=False),
    # NULL: a command's.
    Column("service", Text),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("request_id", Text),
    Column("outcome", Text, nullable=False),
    Index("ix_audit_entries_of_actor", "actor", "id"),
    Index("ix_audit_entries_of_action", "action", "id"),
    Index("ix_audit_entries_of_service", "service", "id"),
    Index("ix_audit_entries_at", "at"),
)

_DAY_S = 86_400.0
_PURGED_AT_ONCE = 1_000

_e = audit_entries.c
_TOLD = ("id", "via", "actor", "service", "action", "target", "source", "request_id")
_adding = insert(audit_entries).values(
    {name: parameter(f"of_{name}", _e[name].type) for name in _TOLD}
    | {"at": Now(), "outcome": literal(AuditOutcome.DONE.value)}
)
# An act may take several transactions, and is noted with each until one of them is committed.
_ADD = _adding.on_conflict_do_nothing(index_elements=[_e.id])
_END = (
    update(audit_entries)
    .where(_e.id == parameter("which_id", ID))
    .values(outcome=parameter("what", Text))
)
_too_old = (
    select(_e.id)
    .where(_e.at < SecondsFromNow(-parameter("kept_s", Float)))
    .limit(parameter("limit", Integer))
)
_PURGE = delete(audit_entries).where(_e.id.in_(_too_old))


async def note_act(connection: AsyncConnection) -> None:
    """Note the act that this transaction's writes come of, if they come of one."""
    acting = under_way()
    if acting is not None:
        told = {f"of_{name}": getattr(acting.act, name) for name in _TOLD}
        await connection.execute(_ADD, told)
        acting.is_noted = True


class SqlAuditLog:
    """`AuditLog` over SQL."""

    def __init__(self, database: Database, *, kept_days: float) -> None:
        self._database = database
        self._kept_s = kept_days * _DAY_S

    async def list(
        self, filter: AuditFilter, *, limit: int, after: UUID | None
    ) -> Sequence[AuditEntry]:
        query = select(audit_entries).where(*_matching(filter))
        page = newest_first(query, _e.id, limit=limit, after=after)
        return await listed(self._database, page, _to_entry)

    async def note(self) -> None:
        # Whatever is written has the act noted beside it, and so has nothing.
        await self._database.write(_nothing)

    async def end(self, id: UUID, outcome: AuditOutcome) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_END, {"which_id": id, "what": outcome.value})

        await self._database.write(work)

    async def purge(self) -> int:
        return await forget_all(self._database, self._purge_some)

    async def _purge_some(self, connection: AsyncConnection) -> int:
        given = {"kept_s": self._kept_s, "limit": _PURGED_AT_ONCE}
        return (await connection.execute(_PURGE, given)).rowcount


async def _nothing(_: AsyncConnection) -> None:
    pass


def _matching(filter: AuditFilter) -> Iterator[ColumnElement[bool]]:
    yield from matching(
        {
            _e.service: filter.service,
            _e.actor: filter.actor,
            _e.action: filter.action,
            _e.via: filter.via,
            _e.outcome: filter.outcome,
        }
    )
    if filter.since is not None:
        yield _e.at >= filter.since
    if filter.before is not None:
        yield _e.at < filter.before


def _to_entry(row: Row[Any]) -> AuditEntry:
    told = {name: getattr(row, name) for name in _TOLD}
    return AuditEntry(
        act=Act(**{**told, "via": Via(row.via)}), at=row.at, outcome=AuditOutcome(row.outcome)
    )
