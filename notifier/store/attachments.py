"""Attachments: what is known of them, and their content in pieces."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    Row,
    Table,
    Uuid,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.content.attachment import Attachment, AttachmentLimits, InUse, TooMuchUnused
from notifier.errors import StoreBusyError
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.notification.model import Status
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.sql import Now, SecondsFromNow
from notifier.store.kit.tables import metadata
from notifier.store.notification.attaching import GRACE_S, attachment_uses, attachments, let_go
from notifier.store.notification.tables import notifications as n

_UPLOADING: Final = "uploading"
_WHOLE: Final = "whole"
_REMOVED: Final = "removed"

_UPLOAD_S = 3_600.0
# Between looking a file up for a notification and storing that, nobody may take it away.
_HELD_S = 3_600.0
_HOLD_AGAIN_S = 1_800.0

attachment_chunks = Table(
    "attachment_chunks",
    metadata,
    Column("attachment_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

_a, _c, _u = attachments.c, attachment_chunks.c, attachment_uses.c


def _from_now(seconds: float) -> ColumnElement[Any]:
    return SecondsFromNow(literal(seconds))


_is_used = exists().where(_u.attachment_id == _a.id)
_is_up = and_(_a.kept_until.is_not(None), _a.kept_until <= Now())


class SqlAttachments:
    """`Attachments` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, *, id: UUID, service: str, name: str, type: str, limits: AttachmentLimits
    ) -> TooMuchUnused | None:
        unused = select(func.coalesce(func.sum(_a.size), 0)).where(
            _a.service == service, _a.kept_until.is_not(None)
        )
        new = insert(attachments).values(
            id=id,
            service=service,
            name=name,
            type=type,
            state=_UPLOADING,
            kept_until=_from_now(_UPLOAD_S),
            created_at=Now(),
        )

        async def work(connection: AsyncConnection) -> TooMuchUnused | None:
            if (await connection.scalars(unused)).one() > limits.max_unused_bytes:
                return TooMuchUnused()
            await connection.execute(new)
            return None

        return await self._database.write(work)

    async def complete(
        self,
        id: UUID,
        *,
        size: int,
        sha256: str,
        limits: AttachmentLimits,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        kept_until = _from_now(limits.unused_s)
        whole = (
            update(attachments)
            .where(_a.id == id, _a.state == _UPLOADING)
            .values(size=size, sha256=sha256, state=_WHOLE, kept_until=kept_until)
        )

        async def work(connection: AsyncConnection) -> Applied:
            if (await connection.execute(whole)).rowcount == 0:
                raise StoreBusyError("the upload took too long, and was given up")
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def find(self, id: UUID, *, service: str | None) -> Attachment | NotFound:
        query = select(attachments).where(_a.id == id, _is_theirs(service))

        async def work(connection: AsyncConnection) -> Attachment | NotFound:
            row = (await connection.execute(query)).one_or_none()
            return _to_attachment(row) if row else NotFound()

        return await self._database.read(work)

    async def hold(self, ids: Collection[UUID], *, service: str) -> Mapping[UUID, Attachment]:
        is_short = and_(_a.kept_until.is_not(None), _a.kept_until <= _from_now(_HOLD_AGAIN_S))
        query = select(attachments, is_short.label("is_short")).where(
            _a.id.in_(ids), _is_theirs(service)
        )

        async def work(connection: AsyncConnection) -> Sequence[Row[Any]]:
            return (await connection.execute(query)).all()

        found = await self._database.read(work)
        if short := [row.id for row in found if row.is_short]:
            await self._keep(short)
        return {row.id: _to_attachment(row) for row in found}

    async def _keep(self, ids: Collection[UUID]) -> None:
        """Keep these for a while, but for those that something refers to anyway."""
        statement = update(attachments).where(_a.id.in_(ids), _a.kept_until.is_not(None))

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement.values(kept_until=_from_now(_HELD_S)))

        await self._database.write(work)

    async def of(self, ids: Collection[UUID]) -> Mapping[UUID, Attachment]:
        query = select(attachments).where(_a.id.in_(ids), _a.state != _UPLOADING)

        async def work(connection: AsyncConnection) -> Mapping[UUID, Attachment]:
            return {row.id: _to_attachment(row) for row in await connection.execute(query)}

        return await self._database.read(work)

    async def remove(self, id: UUID, *, service: str | None) -> Applied | NotFound | InUse:
        which = and_(_a.id == id, _is_theirs(service))
        removed = update(attachments).where(which, ~_is_used)

        async def work(connection: AsyncConnection) -> Applied | NotFound | InUse:
            values = {"state": _REMOVED, "kept_until": _from_now(GRACE_S)}
            if (await connection.execute(removed.values(values))).rowcount:
                return Applied()
            found = (await connection.execute(select(_a.id).where(which))).one_or_none()
            return InUse() if found else NotFound()

        return await self._database.write(work)

    async def release_ended(self, limit: int) -> int:
        over = (
            select(_u.used_by)
            .join(n, n.c.id == _u.used_by)
            .where(_u.is_sensitive, n.c.status.not_in([Status.PENDING, Status.PROCESSING]))
            .distinct()
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> int:
            ended = (await connection.scalars(over)).all()
            await let_go(connection, ended)
            return len(ended)

        return await self._database.write(work)

    async def take_unused(self, limit: int) -> Sequence[UUID]:
        used = select(_a.id).where(_is_up, _is_used).limit(limit)
        unused = select(_a.id).where(_is_up, ~_is_used).order_by(_a.kept_until).limit(limit)
        settled = update(attachments).where(_a.id.in_(used), _is_up).values(kept_until=null())
        taken = (
            update(attachments)
            .where(_a.id.in_(unused.with_for_update(skip_locked=True)), _is_up)
            .values(state=_REMOVED)
            .returning(_a.id)
        )

        async def work(connection: AsyncConnection) -> Sequence[UUID]:
            await connection.execute(settled)
            return (await connection.scalars(taken)).all()

        return await self._database.write(work)

    async def forget(self, ids: Collection[UUID]) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(attachments).where(_a.id.in_(ids)))

        await self._database.write(work)


class SqlContents:
    """`Contents` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, id: UUID, number: int, chunk: bytes) -> None:
        new = insert(attachment_chunks).values(attachment_id=id, number=number, content=chunk)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(new)

        await self._database.write(work)

    async def get(self, id: UUID, number: int) -> bytes | None:
        query = select(_c.content).where(_c.attachment_id == id, _c.number == number)

        async def work(connection: AsyncConnection) -> bytes | None:
            return (await connection.scalars(query)).one_or_none()

        return await self._database.read(work)

    async def erase(self, ids: Collection[UUID]) -> None:
        async def work(connection: AsyncConnection) -> None:
            gone = delete(attachment_chunks).where(_c.attachment_id.in_(ids))
            await connection.execute(gone)

        await self._database.write(work)


def _is_theirs(service: str | None) -> ColumnElement[bool]:
    """Whether a file can be referred to, by this service if one is named."""
    is_there = and_(
        _a.state == _WHOLE, or_(_a.kept_until.is_(None), _a.kept_until > Now(), _is_used)
    )
    return is_there if service is None else and_(_a.service == service, is_there)


def _to_attachment(row: Row[Any]) -> Attachment:
    return Attachment(
        id=row.id,
        service=row.service,
        name=row.name,
        type=row.type,
        size=row.size,
        sha256=row.sha256,
        created_at=row.created_at,
    )
