"""Closing digests: what comes later opens another one, and what was gathered is sent once."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    Boolean,
    Float,
    Integer,
    Row,
    Text,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.digest import MOST_SHOWN, Collected, Digest, PutOff, Settling
from notifier.events.event import EventKey
from notifier.intake.ports import Submission
from notifier.store.events.tables import IS_FAILED, digest_items, digests
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import ID, Now, SecondsFromNow, given_rows, is_key, parameter
from notifier.store.notification.intake import insert_within, rows_of
from notifier.store.notification.settings import StoreSettings

_d = digests.c
_i = digest_items.c
_MOST_SHOWN_BYTES = 90_000
_DAY_S = 86_400.0
_PURGE_BATCH = 500
_is_due = _d.closed_at.is_(None) & (_d.due_at <= Now())
_is_up = _d.closed_at.is_not(None) & _d.settled_at.is_(None) & (_d.look_at <= Now())
_limit = parameter("limit", Integer)
_ANY = select(_d.id).where(or_(_is_due, _is_up)).limit(1)
_due = (
    select(_d.id)
    .where(_is_due)
    .order_by(_d.due_at)
    .limit(_limit)
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLOSE = (
    update(digests)
    .where(_d.id.in_(select(_due.c.id)), _d.closed_at.is_(None))
    .values(closed_at=Now(), look_at=Now())
)
_up = (
    select(_d.id)
    .where(_is_up)
    .order_by(_d.look_at)
    .limit(_limit)
    .with_for_update(skip_locked=True)
    .cte("up")
)
_TAKE = (
    update(digests)
    .where(_d.id.in_(select(_up.c.id)))
    .values(look_at=SecondsFromNow(parameter("hold_s", Float)), tries=_d.tries + 1)
    .returning(digests)
)
_named = given_rows(id=ID)
_nth = func.row_number().over(partition_by=_i.digest_id, order_by=_i.event_id).label("nth")
_of_all = func.count().over(partition_by=_i.digest_id).label("of_all")
_numbered = (
    select(*_i, _nth, _of_all)
    .join_from(_named, digest_items, is_key(_i.digest_id, _named.c.id))
    .subquery("numbered")
)
_ITEMS = (
    select(_numbered)
    .where(_numbered.c.nth <= MOST_SHOWN)
    .order_by(_numbered.c.digest_id, _numbered.c.nth)
)
_LOCK = (
    select(_d.id)
    .join_from(_named, digests, is_key(_d.id, _named.c.id))
    .where(_d.settled_at.is_(None))
    .order_by(_d.id)
    .with_for_update(of=digests)
)
_COUNT = (
    select(_i.digest_id, func.count().label("of_all"))
    .join_from(_named, digest_items, is_key(_i.digest_id, _named.c.id))
    .group_by(_i.digest_id)
)
_settled = given_rows(id=ID, count=Integer, reason=Text, notification_ids=Text)
_SETTLE = (
    update(digests)
    .where(is_key(_d.id, _settled.c.id))
    .values(
        settled_at=Now(),
        look_at=null(),
        count=_settled.c.count,
        reason=_settled.c.reason,
        notification_ids=_settled.c.notification_ids,
    )
)
_put_off = given_rows(id=ID, tries=Integer, again_in_s=Float)
_PUT_OFF = (
    update(digests)
    .where(is_key(_d.id, _put_off.c.id), _d.settled_at.is_(None))
    .values(tries=_put_off.c.tries, look_at=SecondsFromNow(_put_off.c.again_in_s))
)
_LOOK_AGAIN = update(digests).where(_d.id.in_(select(_named.c.id))).values(look_at=Now())
_has_come_to_something = ~literal_column(f"({IS_FAILED})", Boolean)
_OLD = (
    select(_d.id)
    .where(
        _d.settled_at <= SecondsFromNow(parameter("ago_s", Float)),
        or_(
            _has_come_to_something,
            _d.settled_at <= SecondsFromNow(parameter("failed_ago_s", Float)),
        ),
    )
    .order_by(_d.settled_at)
    .limit(_PURGE_BATCH)
)
_FORGET_ITEMS = delete(digest_items).where(_i.digest_id.in_(select(_named.c.id)))
_FORGET = delete(digests).where(_d.id.in_(select(_named.c.id)))


class SqlDigests:
    """`Digests` over SQL."""

    def __init__(self, database: Database, limits: StoreSettings) -> None:
        self._database = database
        self._encode = partial(rows_of, pseudonyms=limits.pseudonyms, seals=limits.seals)
        self._terms = {
            "ago_s": -limits.events_kept_days * _DAY_S,
            "failed_ago_s": -limits.failed_digests_kept_days * _DAY_S,
        }

    async def take(self, *, limit: int, hold_s: float) -> Sequence[Digest]:
        if not await self._database.read(_is_any):
            return ()
        return await self._database.write(partial(_take, limit=limit, hold_s=hold_s))

    async def settle(self, finished: Sequence[Settling]) -> Sequence[Settling]:
        return await self._database.write(partial(_settle, finished=finished, encoded=self._encode))

    async def put_off(self, them: Sequence[PutOff]) -> None:
        # In one order for everybody: nobody waits for whoever waits for them.
        rows = joined(map(_put_off_row, sorted(them, key=lambda each: each.digest.id)))

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_PUT_OFF, {"rows": rows})

        await self._database.write(work)

    async def purge(self) -> int:
        return await forget_all(self._database, self._purge_some)

    async def _purge_some(self, connection: AsyncConnection) -> int:
        old = (await connection.scalars(_OLD, self._terms)).all()
        if old:
            await connection.execute(_FORGET_ITEMS, {"rows": _rows(old)})
            await connection.execute(_FORGET, {"rows": _rows(old)})
        return len(old)


async def _is_any(connection: AsyncConnection) -> bool:
    return (await connection.execute(_ANY)).first() is not None


async def _take(connection: AsyncConnection, *, limit: int, hold_s: float) -> Sequence[Digest]:
    await connection.execute(_CLOSE, {"limit": limit})
    taken = (await connection.execute(_TAKE, {"limit": limit, "hold_s": hold_s})).all()
    if not taken:
        return ()
    items: dict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in await connection.execute(_ITEMS, {"rows": _rows([each.id for each in taken])}):
        items[row.digest_id].append(row)
    return [_to_digest(row, items[row.id]) for row in taken]


async def _settle(
    connection: AsyncConnection,
    *,
    finished: Sequence[Settling],
    encoded: Callable[[Sequence[Submission]], str],
) -> Sequence[Settling]:
    """Accept what comes of those that are as they were seen; the others are looked at again."""
    named = {"rows": _rows([each.digest.id for each in finished])}
    held = set(await connection.scalars(_LOCK, named))
    rows = await connection.execute(_COUNT, named)
    counted: dict[UUID, int] = {row.digest_id: row.of_all for row in rows}
    there = [each for each in finished if each.digest.id in held]
    settled = [each for each in there if counted.get(each.digest.id, 0) == each.digest.count]
    made = [each for one in settled for each in one.submissions]
    await insert_within(connection, made, encoded(made))
    if settled:
        done = joined(map(_settled_row, settled))
        await connection.execute(_SETTLE, {"rows": done})
    changed = [each.digest.id for each in there if each not in settled]
    if changed:
        await connection.execute(_LOOK_AGAIN, {"rows": _rows(changed)})
    return settled


def _rows(ids: Sequence[UUID]) -> str:
    return joined(encode({"id": each.hex}) for each in ids)


def _put_off_row(it: PutOff) -> RowJson:
    return encode({"id": it.digest.id.hex, "tries": it.tries, "again_in_s": it.again_in_s})


def _settled_row(settling: Settling) -> RowJson:
    ids = [str(each.id) for each in settling.submissions]
    return encode(
        {
            "id": settling.digest.id.hex,
            "count": settling.digest.count,
            "reason": settling.reason,
            "notification_ids": orjson.dumps(ids).decode() if ids else None,
        }
    )


def _to_digest(row: Row[Any], items: Sequence[Row[Any]]) -> Digest:
    return Digest(
        id=row.id,
        service=row.service,
        rule=row.rule,
        version_id=row.version_id,
        person=row.person,
        is_user=row.is_user,
        key=row.key,
        match_key=row.match_key,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        count=items[0].of_all if items else 0,
        items=[_to_item(row.service, each) for each in _fitting(items)],
        tries=row.tries,
    )


def _fitting(items: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Return as many as a template is given at once."""
    size, shown = 0, 0
    for each in items:
        size += len(each.data)
        if shown and size > _MOST_SHOWN_BYTES:
            break
        shown += 1
    return items[:shown]


def _to_item(service: str, row: Row[Any]) -> Collected:
    return Collected(
        event=EventKey(service, row.source, row.source_id),
        at=row.at,
        data=orjson.loads(row.data),
    )
