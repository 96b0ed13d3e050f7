"""The addresses that services must not send to."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, delete, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import Channel, Suppression, SuppressionReason
from notifier.ports import Applied, Idempotency, KeyReused, Remembered, SuppressionPlace
from notifier.recipient import compared
from notifier.store import idempotency as keys
from notifier.store.database import Database
from notifier.store.rows import as_written
from notifier.store.sql import Now
from notifier.store.suppressing import is_for, is_suppressed
from notifier.store.tables import suppressions

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

        async def work(connection: AsyncConnection) -> Applied | Remembered | KeyReused:
            if idempotency and (earlier := await keys.keep(connection, [idempotency])):
                return keys.answer_again(idempotency, earlier[keys.name_of(idempotency)])
            await connection.execute(statement)
            return Applied()

        return await self._database.write(work)

    async def remove(self, *, service: str, channel: Channel, recipient: str) -> bool:
        statement = delete(suppressions).where(is_for(_entry(service, channel, recipient)))

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount > 0

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

        return await self._database.read(work)


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
