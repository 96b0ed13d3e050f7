"""Asking for erasures, and following them."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.erasure import Erasure, ErasureRequest, ErasuresUnderWay, Subject
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.store.erasing.rows import subject_text, to_erasure
from notifier.store.erasing.tables import erasures
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.sql import Now, SecondsUntil

_e = erasures.c
_UNDER_WAY = select(
    func.count().label("many"),
    func.coalesce(-SecondsUntil(func.min(_e.requested_at)), 0.0).label("oldest_s"),
).where(_e.finished_at.is_(None))


class SqlErasures:
    """`Erasures` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, request: ErasureRequest, *, idempotency: Idempotency | None = None
    ) -> Applied | Remembered | KeyReused:
        statement = insert(erasures).values(
            id=request.id,
            service=request.service,
            reason=request.reason,
            requested_by=request.requested_by,
            requested_at=Now(),
            forget_suppression=request.forget_suppression,
            subject=subject_text(Subject.of(request)),
            counts="{}",
            is_settled=False,
            look_at=Now(),
        )

        async def work(connection: AsyncConnection) -> Applied:
            await connection.execute(statement)
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def find(self, id: UUID, *, service: str | None) -> Erasure | NotFound:
        query = select(erasures).where(_e.id == id)
        if service is not None:
            query = query.where(_e.service == service)

        async def work(connection: AsyncConnection) -> Erasure | NotFound:
            row = (await connection.execute(query)).one_or_none()
            return NotFound() if row is None else to_erasure(row)

        return await self._database.read(work)

    async def under_way(self) -> ErasuresUnderWay:
        async def work(connection: AsyncConnection) -> ErasuresUnderWay:
            row = (await connection.execute(_UNDER_WAY)).one()
            return ErasuresUnderWay(row.many, max(0.0, row.oldest_s))

        return await self._database.read(work)
