"""What the sandbox provider captured."""

import json
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel, Message
from notifier.providers.captures import Attached, Capture
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database
from notifier.store.kit.paging import listed, matching, newest_first
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import ID, Now, UtcTime, given_rows
from notifier.store.kit.statements import Single
from notifier.store.kit.tables import Serial, metadata
from notifier.store.notification.rows import message_values

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
    # Of a mail: what a server would get, up to a length, and how long all of it is.
    Column("source", Text),
    Column("size", Integer),
    # JSON; NULL: none.
    Column("files", Text),
    Index("ix_captures_channel_seq", "channel", "seq"),
    Index("ix_captures_notification_id", "notification_id"),
)


_MAX_BATCH = 200
_MAX_SOURCE_BYTES = 262_144
_SEARCHED = 10_000
"""How many of the newest are looked through: nobody waits for what is far behind."""
_LISTED = [column for column in captures.c if column.name != "source"]

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
    source=Text,
    size=Integer,
    files=Text,
)
_ADD = Single(
    insert(captures).from_select(
        ["notification_id", *_given.c.keys()[1:], "captured_at"],
        select(*_given.c, Now()),
    )
)
_ids = given_rows(id=ID)
_REMOVE = delete(captures).where(captures.c.notification_id.in_(select(_ids.c.id)))


async def remove(connection: AsyncConnection, notifications: Collection[UUID]) -> int:
    """Remove what was captured of these; returns how many."""
    rows = joined(encode({"id": id.hex}) for id in notifications)
    return (await connection.execute(_REMOVE, {"rows": rows})).rowcount


class SqlCaptures:
    """`Captures` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = Batcher(self._add_all, max_batch=_MAX_BATCH, timeout_s=database.timeout_s)

    async def add(self, message: Message, source: bytes | None = None) -> None:
        await self._add.submit(_capture_row(message, source))

    async def page(
        self,
        *,
        limit: int,
        before: int | None,
        channel: Channel | None,
        words: str | None = None,
    ) -> Sequence[Capture]:
        those = select(*_LISTED).where(*matching({captures.c.channel: channel}))
        if words is not None:
            those = those.where(*_having(words))
        query = newest_first(those, captures.c.seq, limit=limit, after=before)
        return await listed(self._database, query, _to_capture)

    async def find(self, seq: int) -> Capture | None:
        query = select(captures).where(captures.c.seq == seq)

        async def work(connection: AsyncConnection) -> Capture | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else _to_capture(row, source=row.source)

        return await self._database.read(work)

    async def _add_all(self, rows: Sequence[RowJson]) -> Sequence[None]:
        await self._database.write_at_once(_ADD, {"rows": joined(rows)})
        return [None] * len(rows)


def _capture_row(message: Message, source: bytes | None) -> RowJson:
    shown = None if message.sensitive else source
    files = [{"name": each.name, "type": each.type, "size": each.size} for each in message.attached]
    return encode(
        {
            **message_values(message, with_content=not message.sensitive),
            "source": shown[:_MAX_SOURCE_BYTES].decode(errors="replace") if shown else None,
            "size": len(source) if source else None,
            "files": json.dumps(files) if files and not message.sensitive else None,
        }
    )


def _having(words: str) -> Sequence[ColumnElement[bool]]:
    newest = select(func.max(captures.c.seq)).scalar_subquery()
    columns = (captures.c.recipient, captures.c.subject, captures.c.text)
    has = or_(*(column.icontains(words, autoescape=True) for column in columns))
    return captures.c.seq > newest - _SEARCHED, has


def _to_capture(row: Row[Any], *, source: str | None = None) -> Capture:
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
        size=row.size,
        source=source,
        files=[Attached(**each) for each in json.loads(row.files or "[]")],
    )
