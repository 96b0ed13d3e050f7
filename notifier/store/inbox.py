"""Recipients' in-app inboxes.

Whoever changes an inbox locks its row in `inboxes` first. An item gets its number under that
lock, which lasts until it is committed: who has seen number n has seen all before it.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import (
    BigInteger,
    Column,
    Row,
    Select,
    Subquery,
    Table,
    Text,
    Uuid,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.inbox import InboxItem
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered, Unfinished
from notifier.notification.model import Message
from notifier.store.kit import idempotency as keys
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database, Work
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, JsonObject, Now, UtcTime, given_rows, parameter
from notifier.store.kit.tables import metadata, partial_index
from notifier.store.notification.rows import message_row

inboxes = Table(
    "inboxes",
    metadata,
    Column("service", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("unread", BigInteger, nullable=False),
)

inbox_items = Table(
    "inbox_items",
    metadata,
    Column("service", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("notification_id", Uuid, nullable=False, unique=True),
    Column("subject", Text),
    Column("text", Text, nullable=False),
    Column("html", Text),
    Column("action_url", Text),
    Column("metadata", JsonObject),
    Column("created_at", UtcTime, nullable=False),
    Column("read_at", UtcTime),
    partial_index("ix_inbox_items_unread", "service", "recipient", "seq", where="read_at IS NULL"),
)


MarkResult: TypeAlias = Applied | Remembered | KeyReused | NotFound | Unfinished

_MAX_BATCH = 200
# A step takes some hundredths of a second, and what comes into the inbox waits for one.
_MOST_READ = 1_000
_MOST_STEPS = 200
_END = 2**63 - 1

InboxName: TypeAlias = Mapping[str, str]
"""The names of an inbox, as parameters of a statement."""


def _is_of(table: Subquery) -> Any:
    return and_(inboxes.c.service == table.c.service, inboxes.c.recipient == table.c.recipient)


_names = given_rows(service=Text, recipient=Text)
_MAKE = (
    upsert(inboxes)
    .from_select(
        ["service", "recipient", "last_seq", "unread"],
        select(_names.c.service, _names.c.recipient, literal(0), literal(0))
        .where(text("true"))
        .order_by(_names.c.service, _names.c.recipient),
    )
    .on_conflict_do_nothing()
)
_those = (
    select(inboxes.c.service, inboxes.c.recipient)
    .join_from(inboxes, _names, _is_of(_names))
    .order_by(inboxes.c.service, inboxes.c.recipient)
)
LOCK = _those.with_for_update(of=inboxes)
"""Waits for each of these inboxes; whoever changes one holds it first."""
_LOCK_FREE = _those.with_for_update(of=inboxes, skip_locked=True)
_HEADS = select(inboxes).join_from(inboxes, _names, _is_of(_names)).where(inboxes.c.last_seq > 0)

_given = given_rows(
    id=ID,
    service=Text,
    recipient=Text,
    subject=Text,
    text=Text,
    html=Text,
    action_url=Text,
    metadata=JsonObject,
)
_number = func.row_number().over(
    partition_by=(_given.c.service, _given.c.recipient), order_by=_given.c.id
)
_ADD = (
    insert(inbox_items)
    .from_select(
        ["notification_id", *_given.c.keys()[1:], "seq", "created_at"],
        select(*_given.c, inboxes.c.last_seq + _number, Now())
        .join_from(_given, inboxes, _is_of(_given))
        .where(
            ~select(literal(1)).where(inbox_items.c.notification_id == _given.c.id).exists(),
        ),
    )
    .returning(inbox_items.c.service, inbox_items.c.recipient)
)
_added = given_rows(service=Text, recipient=Text, added=BigInteger)
_COUNT = (
    update(inboxes)
    .where(_is_of(_added))
    .values(last_seq=inboxes.c.last_seq + _added.c.added, unread=inboxes.c.unread + _added.c.added)
)

_in_inbox = and_(
    inbox_items.c.service == parameter("which_service"),
    inbox_items.c.recipient == parameter("which_recipient"),
)
_FIND = select(inbox_items.c.seq).where(
    _in_inbox, inbox_items.c.notification_id == parameter("which_id", ID)
)
_is_unread = and_(_in_inbox, inbox_items.c.read_at.is_(None))
_READ_ONE = (
    update(inbox_items)
    .where(_is_unread, inbox_items.c.notification_id == parameter("which_id", ID))
    .values(read_at=Now())
)
# The newest first: from there on downwards, what was marked before is not come across again.
_newest = (
    select(inbox_items.c.seq)
    .where(_is_unread, inbox_items.c.seq < parameter("before", BigInteger))
    .order_by(inbox_items.c.seq.desc())
    .limit(_MOST_READ)
    .subquery()
)
_FIND_MANY = select(func.min(_newest.c.seq), func.count())
_READ_MANY = (
    update(inbox_items)
    .where(
        _is_unread,
        inbox_items.c.seq >= parameter("first", BigInteger),
        inbox_items.c.seq < parameter("before", BigInteger),
    )
    .values(read_at=Now())
)
_COUNT_READ = (
    update(inboxes)
    .where(
        inboxes.c.service == parameter("which_service"),
        inboxes.c.recipient == parameter("which_recipient"),
    )
    .values(unread=inboxes.c.unread - parameter("newly_read", BigInteger))
)
_UNREAD = select(inboxes.c.unread).where(
    inboxes.c.service == parameter("which_service"),
    inboxes.c.recipient == parameter("which_recipient"),
)
_ids = given_rows(id=ID)
_is_given = inbox_items.c.notification_id.in_(select(_ids.c.id))
_FIND_OWNERS = select(inbox_items.c.service, inbox_items.c.recipient).where(_is_given).distinct()
_REMOVE = (
    delete(inbox_items)
    .where(_is_given)
    .returning(inbox_items.c.service, inbox_items.c.recipient, inbox_items.c.read_at)
)
_COUNT_REMOVED = (
    update(inboxes).where(_is_of(_added)).values(unread=inboxes.c.unread - _added.c.added)
)


class SqlInbox:
    """`Inbox` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._deliver = self._batcher(_LOCK_FREE)
        self._deliver_late: dict[str, Batcher[Message, bool]] = {}
        self._steps: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def _batcher(self, lock: Select[Any]) -> Batcher[Message, bool]:
        return Batcher(
            partial(self._deliver_all, lock=lock),
            max_batch=_MAX_BATCH,
            timeout_s=self._database.timeout_s,
        )

    async def deliver(self, message: Message) -> None:
        if await self._deliver.submit(message):
            return
        # Somebody changes that inbox. Only others of the service wait for that as well.
        if message.service not in self._deliver_late:
            self._deliver_late[message.service] = self._batcher(LOCK)
        await self._deliver_late[message.service].submit(message)

    async def page(
        self, service: str, recipient: str, *, limit: int, before: int | None, unread_only: bool
    ) -> Sequence[InboxItem]:
        query = _of(service, recipient).order_by(inbox_items.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(inbox_items.c.seq < before)
        if unread_only:
            query = query.where(inbox_items.c.read_at.is_(None))
        return await self._database.search(_reading(query))

    async def since(
        self, service: str, recipient: str, seq: int, *, limit: int
    ) -> Sequence[InboxItem]:
        query = _of(service, recipient).where(inbox_items.c.seq > seq)
        query = query.order_by(inbox_items.c.seq).limit(limit)
        return await self._database.read(_reading(query))

    async def unread_count(self, service: str, recipient: str) -> int:
        async def work(connection: AsyncConnection) -> int:
            names = {"which_service": service, "which_recipient": recipient}
            return await connection.scalar(_UNREAD, names) or 0

        return await self._database.read(work)

    async def mark_read(
        self,
        service: str,
        recipient: str,
        notification_id: UUID | None,
        idempotency: Idempotency | None = None,
    ) -> MarkResult:
        inbox = {"which_service": service, "which_recipient": recipient}
        if notification_id is not None:
            mark = partial(_mark_one, inbox=inbox, id=notification_id)
            return await write_once(self._database, idempotency, mark)
        # One after the other, so that what is delivered next waits for no more than one of them.
        step = self._steps.setdefault((service, recipient), asyncio.Lock())
        before = _END
        for _ in range(_MOST_STEPS):
            async with step:
                marked = await self._database.write(
                    partial(_mark_many, inbox=inbox, before=before, wanted=idempotency)
                )
            if not isinstance(marked, int):
                return marked
            before = marked
        return Unfinished(await self.unread_count(service, recipient))

    async def heads(self, inboxes: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        async def work(connection: AsyncConnection) -> Mapping[tuple[str, str], int]:
            result = await connection.execute(_HEADS, {"rows": _names_of(inboxes)})
            return {(row.service, row.recipient): row.last_seq for row in result}

        return await self._database.read(work)

    async def _deliver_all(self, messages: Sequence[Message], lock: Select[Any]) -> Sequence[bool]:
        locked = await self._database.write(partial(add_all, messages=messages, lock=lock))
        return [_inbox_of(message) in locked for message in messages]


async def add_all(
    connection: AsyncConnection, *, messages: Sequence[Message], lock: Select[Any]
) -> Collection[tuple[str, str]]:
    """Add those that are not there yet to the inboxes that can be locked; returns these."""
    names = {"rows": _names_of(set(map(_inbox_of, messages)))}
    await connection.execute(_MAKE, names)
    locked = {(row.service, row.recipient) for row in await connection.execute(lock, names)}
    new = {message.id: message for message in messages if _inbox_of(message) in locked}
    result = await connection.execute(_ADD, {"rows": joined(map(message_row, new.values()))})
    added = Counter((row.service, row.recipient) for row in result)
    if added:
        await connection.execute(_COUNT, {"rows": _counts_of(added)})
    return locked


async def remove(connection: AsyncConnection, notifications: Collection[UUID]) -> int:
    """Remove the items of these from their inboxes; returns how many."""
    rows = joined(encode({"id": id.hex}) for id in notifications)
    owners = [tuple(row) for row in await connection.execute(_FIND_OWNERS, {"rows": rows})]
    if not owners:
        return 0
    await connection.execute(LOCK, {"rows": _names_of(owners)})
    removed = (await connection.execute(_REMOVE, {"rows": rows})).all()
    unread = Counter((row.service, row.recipient) for row in removed if row.read_at is None)
    await connection.execute(_COUNT_REMOVED, {"rows": _counts_of(unread)})
    return len(removed)


def _inbox_of(message: Message) -> tuple[str, str]:
    return message.service, message.recipient


async def _mark_one(
    connection: AsyncConnection, *, inbox: InboxName, id: UUID
) -> Applied | NotFound:
    await _lock(connection, inbox)
    if await connection.scalar(_FIND, {**inbox, "which_id": id}) is None:
        return NotFound()
    read = (await connection.execute(_READ_ONE, {**inbox, "which_id": id})).rowcount
    await connection.execute(_COUNT_READ, {**inbox, "newly_read": read})
    return Applied()


async def _mark_many(
    connection: AsyncConnection, *, inbox: InboxName, before: int, wanted: Idempotency | None
) -> MarkResult | int:
    """Mark the newest before this seq; returns the seq to go on before if there may be more."""
    if wanted and (answered := await keys.find(connection, wanted)):
        return answered
    await _lock(connection, inbox)
    first, count = (await connection.execute(_FIND_MANY, {**inbox, "before": before})).one()
    if count:
        await connection.execute(_READ_MANY, {**inbox, "first": first, "before": before})
        await connection.execute(_COUNT_READ, {**inbox, "newly_read": count})
    if count == _MOST_READ:
        return int(first)
    if wanted and (earlier := await keys.keep(connection, [wanted])):
        await connection.rollback()
        return keys.answer_again(wanted, earlier[keys.name_of(wanted)])
    return Applied()


async def _lock(connection: AsyncConnection, inbox: InboxName) -> None:
    names = [(inbox["which_service"], inbox["which_recipient"])]
    await connection.execute(LOCK, {"rows": _names_of(names)})


def _reading(query: Select[Any]) -> Work[Sequence[InboxItem]]:
    async def work(connection: AsyncConnection) -> Sequence[InboxItem]:
        return [_to_item(row) for row in await connection.execute(query)]

    return work


def _names_of(names: Collection[tuple[str, str]]) -> str:
    return joined(
        encode({"service": service, "recipient": recipient}) for service, recipient in names
    )


def _counts_of(added: Mapping[tuple[str, str], int]) -> str:
    return joined(
        encode({"service": service, "recipient": recipient, "added": count})
        for (service, recipient), count in added.items()
    )


def _of(service: str, recipient: str) -> Select[Any]:
    return select(inbox_items).where(
        inbox_items.c.service == service, inbox_items.c.recipient == recipient
    )


def _to_item(row: Row[Any]) -> InboxItem:
    return InboxItem(
        seq=row.seq,
        notification_id=row.notification_id,
        subject=row.subject,
        text=row.text,
        html=row.html,
        action_url=row.action_url,
        metadata=row.metadata or {},
        created_at=row.created_at,
        read_at=row.read_at,
    )
