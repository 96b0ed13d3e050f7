"""Topics, and who is told about them."""

import builtins
import json
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    Row,
    Table,
    Text,
    and_,
    delete,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.topic import Member, Topic
from notifier.idempotency import NotFound
from notifier.store.kit.database import Database
from notifier.store.kit.paging import in_order, listed, matching
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import Now, UtcTime, given_rows, is_key, parameter
from notifier.store.kit.tables import metadata

topics = Table(
    "topics",
    metadata,
    Column("service", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

topic_members = Table(
    "topic_members",
    metadata,
    Column("service", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    # JSON as text; NULL: none.
    Column("properties", Text),
    Index("ix_topic_members_user_id", "service", "user_id"),
)

_t, _m = topics.c, topic_members.c

_which = (parameter("of_service"), parameter("of_key"))
_is_topic = and_(_t.service == _which[0], _t.key == _which[1])
_is_member = and_(_m.service == _which[0], _m.topic == _which[1])
_GET = select(topics).where(_is_topic)
# Whoever removes the topic waits for those who add to it, and they for that.
_LOCK = select(_t.key).where(_is_topic).with_for_update(key_share=True)
_LOCK_WHOLE = select(_t.key).where(_is_topic).with_for_update()

# The whole key comes with each: nothing but looking each one up is left to the database then.
_given = given_rows(service=Text, topic=Text, user_id=Text, properties=Text)
_is_given = and_(*(is_key(_m[name], _given.c[name]) for name in ("service", "topic", "user_id")))
_KNOWN = select(_m.user_id).join_from(_given, topic_members, _is_given)
_rows = select(*_given.c).where(true())
_adding = insert(topic_members).from_select(
    ["service", "topic", "user_id", "properties"], _rows.order_by(_given.c.user_id)
)
_ADD = _adding.on_conflict_do_update(
    index_elements=[_m.service, _m.topic, _m.user_id],
    set_={"properties": _adding.excluded.properties},
)
_KEY = tuple_(_m.service, _m.topic, _m.user_id)
_DROP = (
    delete(topic_members)
    .where(
        _KEY.in_(
            select(_m.service, _m.topic, _m.user_id).join_from(_given, topic_members, _is_given)
        )
    )
    .returning(_m.user_id)
)
_SOME = (
    select(_m.service, _m.topic, _m.user_id).where(_is_member).limit(parameter("limit", Integer))
)
_DROP_SOME = delete(topic_members).where(_KEY.in_(_SOME))
_REMOVE = delete(topics).where(_is_topic)
_COUNT = select(func.count()).select_from(topic_members).where(_is_member)
_MEMBERS = (
    select(_m.user_id, _m.properties)
    .where(_is_member, _m.user_id > parameter("after"))
    .order_by(_m.service, _m.topic, _m.user_id)
    .limit(parameter("limit", Integer))
)


class SqlTopicStore:
    """`TopicStore` over SQL."""

    def __init__(self, database: Database, *, removed_at_once: int = 5_000) -> None:
        self._database = database
        self._removed_at_once = removed_at_once

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[Topic]:
        those = select(topics).where(*matching({_t.service: service}))
        query = in_order(those, _t.service, _t.key, limit=limit, after=after)
        return await listed(self._database, query, _to_topic)

    async def get(self, service: str, key: str) -> Topic | NotFound:
        async def work(connection: AsyncConnection) -> Topic | NotFound:
            row = (await connection.execute(_GET, _named(service, key))).one_or_none()
            return _to_topic(row) if row else NotFound()

        return await self._database.read(work)

    async def set(self, *, service: str, key: str, title: str) -> Topic:
        values = {"title": title, "updated_at": Now()}
        statement = (
            insert(topics)
            .values(service=service, key=key, **values)
            .on_conflict_do_update(index_elements=[_t.service, _t.key], set_=values)
            .returning(topics)
        )

        async def work(connection: AsyncConnection) -> Topic:
            return _to_topic((await connection.execute(statement)).one())

        return await self._database.write(work)

    async def remove(self, service: str, key: str) -> NotFound | None:
        removing = partial(_remove_some, service=service, key=key, most=self._removed_at_once)
        removed = await self._database.write(removing)
        while removed == self._removed_at_once:
            removed = await self._database.write(removing)
        return NotFound() if removed is None else None

    async def count(self, service: str, key: str) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.scalars(_COUNT, _named(service, key))).one()

        return await self._database.search(work)

    async def members(
        self, service: str, key: str, *, limit: int, after: str | None
    ) -> Sequence[Member]:
        asked = {**_named(service, key), "limit": limit, "after": after or ""}

        async def work(connection: AsyncConnection) -> builtins.list[Member]:
            return [_to_member(row) for row in await connection.execute(_MEMBERS, asked)]

        return await self._database.follow(work)

    async def add(
        self, service: str, key: str, members: Sequence[Member]
    ) -> Collection[str] | NotFound:
        asked = {"rows": joined(_member_row(service, key, each) for each in members)}

        async def work(connection: AsyncConnection) -> Collection[str] | NotFound:
            if not await _is_there(connection, _named(service, key)):
                return NotFound()
            known = set(await connection.scalars(_KNOWN, asked))
            await connection.execute(_ADD, asked)
            return {each.user_id for each in members} - known

        return await self._database.write(work)

    async def drop(
        self, service: str, key: str, user_ids: Collection[str]
    ) -> Collection[str] | NotFound:
        asked = {"rows": joined(_member_row(service, key, Member(each)) for each in user_ids)}

        async def work(connection: AsyncConnection) -> Collection[str] | NotFound:
            if not await _is_there(connection, _named(service, key)):
                return NotFound()
            return set(await connection.scalars(_DROP, asked))

        return await self._database.write(work)


async def _is_there(connection: AsyncConnection, named: dict[str, object]) -> bool:
    return (await connection.execute(_LOCK, named)).one_or_none() is not None


async def _remove_some(
    connection: AsyncConnection, *, service: str, key: str, most: int
) -> int | None:
    """Remove some members, and with the last of them the topic; None if there is none."""
    named = _named(service, key)
    if (await connection.execute(_LOCK_WHOLE, named)).one_or_none() is None:
        return None
    removed = (await connection.execute(_DROP_SOME, {**named, "limit": most})).rowcount
    if removed < most:
        await connection.execute(_REMOVE, named)
    return removed


def _named(service: str, key: str) -> dict[str, object]:
    return {"of_service": service, "of_key": key}


def _member_row(service: str, key: str, member: Member) -> RowJson:
    properties = json.dumps(member.properties) if member.properties else None
    row = {"service": service, "topic": key, "user_id": member.user_id, "properties": properties}
    return encode(row)


def _to_topic(row: Row[Any]) -> Topic:
    return Topic(service=row.service, key=row.key, title=row.title, updated_at=row.updated_at)


def _to_member(row: Row[Any, Any]) -> Member:
    return Member(row.user_id, json.loads(row.properties) if row.properties else None)
