"""Adding to digests, in the transaction that records the events."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Boolean, Integer, Row, Text, Uuid, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.digest import derived_id
from notifier.events.event import Cancel, DigestItem
from notifier.store.events.lines import Line, Person
from notifier.store.events.tables import digest_items, digests
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import (
    ID,
    Now,
    UtcTime,
    given_rows,
    is_key,
    parameter,
    time_text,
)

_d = digests.c
_i = digest_items.c
_WHOSE = (_d.service, _d.rule, _d.person, _d.key)
_given = given_rows(
    id=ID,
    service=Text,
    rule=Text,
    person=Text,
    key=Text,
    version_id=Uuid,
    is_user=Boolean,
    match_key=Text,
    added=Integer,
    max_items=Integer,
    due_at=UtcTime,
)
_opening = insert(digests).from_select(
    [*_given.c.keys(), "opened_at"], select(*_given.c, Now()).where(true())
)
_ADD = _opening.on_conflict_do_update(
    index_elements=[*_WHOSE],
    index_where=_d.closed_at.is_(None),
    set_={"added": _d.added + _opening.excluded.added},
).returning(_d.id, *_WHOSE, _d.added, _d.max_items)
_items = given_rows(
    digest_id=ID,
    event_id=ID,
    source=Text,
    source_id=Text,
    match_key=Text,
    at=UtcTime,
    data=Text,
)
_KEEP = (
    insert(digest_items)
    .from_select(
        [*_items.c.keys()],
        select(
            *(func.coalesce(each, Now()) if each.name == "at" else each for each in _items.c)
        ).where(true()),
    )
    .on_conflict_do_nothing(index_elements=[_i.digest_id, _i.event_id])
)
_full = given_rows(id=ID, added=Integer)
_CLOSE = (
    update(digests)
    .where(is_key(_d.id, _full.c.id))
    .values(closed_at=Now(), look_at=Now(), added=_full.c.added)
)
_CORRECT = update(digests).where(is_key(_d.id, _full.c.id)).values(added=_full.c.added)
_HOLDING = (
    select(_d.id)
    .where(
        _d.service == parameter("of_service"),
        _d.rule == parameter("of_rule"),
        _d.settled_at.is_(None),
        _d.id.in_(select(_i.digest_id).where(_i.match_key == parameter("of_key"))),
    )
    .order_by(_d.id)
    .with_for_update()
)
_DROP = delete(digest_items).where(
    _i.match_key == parameter("of_key"),
    _i.digest_id.in_(select(given_rows(id=ID).c.id)),
)


async def collect(connection: AsyncConnection, lines: Sequence[Line]) -> None:
    """Add each line's item to the open digest that it is for, and open those that are not there."""
    waiting: dict[Person, list[Line]] = defaultdict(list)
    for line in lines:
        if line.is_on and line.match.digest_item:
            waiting[line.of(line.match.digest_item.key)].append(line)
    while waiting:
        waiting = await _add(connection, waiting)


async def drop(connection: AsyncConnection, service: str, cancel: Cancel) -> None:
    """Take back the items that were matched with a key, from what is not settled yet."""
    named = {"of_service": service, "of_rule": cancel.rule, "of_key": cancel.key}
    held = (await connection.scalars(_HOLDING, named)).all()
    if held:
        rows = joined(encode({"id": each.hex}) for each in held)
        await connection.execute(_DROP, {"of_key": cancel.key, "rows": rows})


async def _add(
    connection: AsyncConnection, waiting: Mapping[Person, list[Line]]
) -> dict[Person, list[Line]]:
    """Add what there is room for; returns the rest, for which another one is to be opened."""
    # In one order for everybody: nobody waits for whoever waits for them.
    rows = joined(_digest_row(person, waiting[person]) for person in sorted(waiting))
    found = (await connection.execute(_ADD, {"rows": rows})).all()
    left: dict[Person, list[Line]] = {}
    items: list[RowJson] = []
    full: list[RowJson] = []
    corrected: list[RowJson] = []
    for row in found:
        person = (row.service, row.rule, row.person, row.key)
        taken = _take(row, waiting[person])
        items += (_item_row(row.id, each) for each in taken.items)
        if taken.left:
            left[person] = taken.left
        if taken.is_full:
            full.append(encode({"id": row.id.hex, "added": taken.added}))
        elif taken.added != row.added:
            corrected.append(encode({"id": row.id.hex, "added": taken.added}))
    for statement, given in ((_CLOSE, full), (_CORRECT, corrected), (_KEEP, items)):
        if given:
            await connection.execute(statement, {"rows": joined(given)})
    return left


@dataclass(frozen=True, slots=True)
class _Taken:
    """What an open digest took of the lines for it."""

    items: Sequence[Line]
    left: list[Line]
    added: int
    is_full: bool


def _take(row: Row[Any], lines: list[Line]) -> _Taken:
    sent = lines[:1] if _is_sent_first(row, lines[0]) else []
    rest = lines[len(sent) :]
    before = row.added - len(lines)
    room = len(rest) if row.max_items is None else row.max_items - before
    items = rest[:room]
    for line in (*sent, *items):
        line.digest_id = row.id
    for line in items:
        line.submissions = ()
    added = before + len(items)
    is_full = row.max_items is not None and added >= row.max_items
    return _Taken(items, rest[room:], added, is_full)


def _is_sent_first(row: Row[Any], first: Line) -> bool:
    return _item(first).sends_first and row.id == _id(first)


def _item(line: Line) -> DigestItem:
    assert line.match.digest_item is not None  # noqa: S101  only those that have one get here
    return line.match.digest_item


def _id(line: Line) -> UUID:
    return derived_id(line.reaction.id, *line.of(_item(line).key))


def _digest_row(person: Person, lines: Sequence[Line]) -> RowJson:
    first = lines[0]
    item, match = _item(first), first.match
    service, rule, whose, key = person
    return encode(
        {
            "id": _id(first).hex,
            "service": service,
            "rule": rule,
            "person": whose,
            "key": key,
            "version_id": match.version_id.hex,
            "is_user": match.is_user,
            "match_key": match.key,
            "added": len(lines),
            "max_items": item.max_items,
            "due_at": time_text(item.due_at),
        }
    )


def _item_row(digest_id: UUID, line: Line) -> RowJson:
    event = line.reaction.event
    return encode(
        {
            "digest_id": digest_id.hex,
            "event_id": line.reaction.id.hex,
            "source": event.source,
            "source_id": event.id,
            "match_key": line.match.key,
            "at": time_text(event.time) if event.time else None,
            "data": orjson.dumps(_item(line).data).decode(),
        }
    )
