"""The addresses that services must not send to."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, delete, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import Channel, Suppression, SuppressionReason
from notifier.ports import (
    Applied,
    Idempotency,
    KeyReused,
    Lifted,
    NotFound,
    Protected,
    Remembered,
    SuppressionPlace,
)
from notifier.recipient import compared
from notifier.store import idempotency as keys
from notifier.store.database import Database
from notifier.store.rows import as_written
from notifier.store.sql import Now
from notifier.store.suppressing import (
    is_for,
    is_recipients_will,
    is_suppressed,
    note_lifted,
)
from notifier.store.tables import suppressions

_WHY = (suppressions.c.reason, suppressions.c.notification_id)
_PLACE = (suppressions.c.recipient, suppressions.c.service, suppressions.c.channel)


class SqlSuppressionStore:
    """`SuppressionStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        *,
        service: str,
        channel: Channel,
        recipient: str,
        reason: SuppressionReason,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        entry = _entry(service, channel, recipient)
        new = {
            **entry,
            "recipient_as_written": literal(as_written(recipient, compared(channel, recipient))),
            "reason": literal(reason, Text),
            "created_at": Now(),
        }
        statement = (
            insert(suppressions)
            .from_select([*new], select(*new.values()).where(~is_suppressed(entry)))
            .on_conflict_do_nothing()
        )

        is_weaker = and_(is_for(entry), ~is_recipients_will())
        willed = update(suppressions).where(is_weaker).values(reason=reason)

        async def work(connection: AsyncConnection) -> Applied | Remembered | KeyReused:
            if idempotency and (earlier := await keys.keep(connection, [idempotency])):
                return keys.answer_again(idempotency, earlier[keys.name_of(idempotency)])
            if reason.is_recipients_will:
                await connection.execute(willed)
            await connection.execute(statement)
            return Applied()

        return await self._database.write(work)

    async def remove(
        self, *, service: str, channel: Channel, recipient: str, why: str | None = None
    ) -> Lifted | Protected | NotFound:
        is_it = is_for(_entry(service, channel, recipient))

        async def work(connection: AsyncConnection) -> Lifted | Protected | NotFound:
            removal = delete(suppressions).where(is_it).returning(*_WHY)
            rows = (await connection.execute(removal)).all()
            reasons = frozenset(SuppressionReason(row.reason) for row in rows)
            willed = sorted(each for each in reasons if each.is_recipients_will)
            if willed and why is None:
                await connection.rollback()
                return Protected(willed[0])
            await note_lifted(connection, rows, why or "taken off the suppression list")
            return Lifted(reasons) if rows else NotFound()

        return await self._database.write(work)

    async def list(
        self,
        *,
        service: str | None,
        channel: Channel | None,
        limit: int,
        after: SuppressionPlace | None,
    ) -> Sequence[Suppression]:
        query = select(suppressions).limit(limit)
        if service is not None:
            query = query.where(suppressions.c.service == service)
        if channel is not None:
            query = query.where(suppressions.c.channel == channel)
        if after is not None:
            seen = (literal(after.recipient), literal(after.service), literal(after.channel.value))
            query = query.where(tuple_(*_PLACE) > tuple_(*seen))
        query = query.order_by(*_PLACE)

        async def work(connection: AsyncConnection) -> builtins.list[Suppression]:
            return [_to_suppression(row) for row in await connection.execute(query)]

        return await self._database.search(work)


def _entry(service: str, channel: Channel, recipient: str) -> Mapping[str, ColumnElement[Any]]:
    return {
        "service": literal(service, Text),
        "channel": literal(channel, Text),
        "recipient": literal(compared(channel, recipient), Text),
    }


def _to_suppression(row: Row[Any]) -> Suppression:
    return Suppression(
        service=row.service,
        channel=Channel(row.channel),
        recipient=row.recipient_as_written or row.recipient,
        compared=row.recipient,
        reason=SuppressionReason(row.reason),
        notification_id=row.notification_id,
        created_at=row.created_at,
    )
