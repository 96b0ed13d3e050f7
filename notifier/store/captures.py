"""What the sandbox provider captured."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, Row, Table, Text, Uuid, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel, Message
from notifier.providers.captures import Capture
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database
from notifier.store.kit.rows import RowJson, joined
from notifier.store.kit.sql import ID, Now, UtcTime, given_rows
from notifier.store.kit.tables import Serial, metadata
from notifier.store.notification.rows import message_row

captures = Table(
    "captures",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("notification_id", Uuid, nullable=False),
    Column("service", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("subject", Text),
    Column("text", Text),
    Column("html", Text),
    Column("action_url", Text),
    Column("sensitive", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("captured_at", UtcTime, nullable=False),
    Index("ix_captures_channel_seq", "channel", "seq"),
)


_MAX_BATCH = 200

_given = given_rows(
    id=ID,
    service=Text,
    channel=Text,
    recipient=Text,
    subject=Text,
    text=Text,
    html=Text,
    action_url=Text,
    sensitive=Boolean,
    attempt=Integer,
)
_ADD = insert(captures).from_select(
    ["notification_id", *_given.c.keys()[1:], "captured_at"],
    select(*_given.c, Now()),
)


class SqlCaptures:
    """`Captures` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = Batcher(self._add_all, max_batch=_MAX_BATCH, timeout_s=database.timeout_s)

    async def add(self, message: Message) -> None:
        await self._add.submit(message_row(message, with_content=not message.sensitive))

    async def page(
        self, *, limit: int, before: int | None, channel: Channel | None
    ) -> Sequence[Capture]:
        query = select(captures).order_by(captures.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(captures.c.seq < before)
        if channel is not None:
            query = query.where(captures.c.channel == channel)

        async def work(connection: AsyncConnection) -> Sequence[Capture]:
            return [_to_capture(row) for row in await connection.execute(query)]

        return await self._database.search(work)

    async def _add_all(self, rows: Sequence[RowJson]) -> Sequence[None]:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_ADD, {"rows": joined(rows)})

        await self._database.write(work)
        return [None] * len(rows)


def _to_capture(row: Row[Any]) -> Capture:
    return Capture(
        seq=row.seq,
        notification_id=row.notification_id,
        service=row.service,
        channel=Channel(row.channel),
        recipient=row.recipient,
        subject=row.subject,
        text=row.text,
        html=row.html,
        action_url=row.action_url,
        sensitive=row.sensitive,
        attempt=row.attempt,
        captured_at=row.captured_at,
    )
