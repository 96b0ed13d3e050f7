"""What comes into inboxes: what is delivered, and what was snoozed."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Select,
    Subquery,
    Text,
    and_,
    func,
    insert,
    literal,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Message
from notifier.store.inbox.naming import Meant, Name, names_of
from notifier.store.inbox.tables import inbox_items, inboxes, items
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, JsonObject, Now, given_rows
from notifier.store.notification.rows import message_row

_MOST_WOKEN = 200


def _is_of(table: Subquery) -> Any:
    return and_(inboxes.c.service == table.c.service, inboxes.c.recipient == table.c.recipient)


_names = given_rows(service=Text, recipient=Text)
MAKE = (
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
LOCK_FREE = _those.with_for_update(of=inboxes, skip_locked=True)
HEADS = select(inboxes).join_from(inboxes, _names, _is_of(_names)).where(inboxes.c.last_seq > 0)

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
        ["notification_id", *_given.c.keys()[1:], "seq", "created_at", "seen_at"],
        select(*_given.c, inboxes.c.last_seq + _number, Now(), null())
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
    .values(
        last_seq=inboxes.c.last_seq + _added.c.added,
        unread=inboxes.c.unread + _added.c.added,
        unseen=inboxes.c.unseen + _added.c.added,
    )
)

_DUE = (
    select(items.service, items.recipient, items.seq)
    .where(items.snoozed_until <= Now())
    .order_by(items.snoozed_until)
    .limit(_MOST_WOKEN)
)
_due = given_rows(service=Text, recipient=Text, seq=BigInteger)
_is_due = and_(
    items.service == _due.c.service,
    items.recipient == _due.c.recipient,
    items.seq == _due.c.seq,
    items.snoozed_until <= Now(),
)
_woken = (
    select(
        items.service,
        items.recipient,
        items.seq,
        (
            inboxes.c.last_seq
            + func.row_number().over(
                partition_by=(items.service, items.recipient),
                order_by=(items.snoozed_until, items.seq),
            )
        ).label("new_seq"),
    )
    .join_from(inbox_items, _due, _is_due)
    .join(inboxes, and_(inboxes.c.service == items.service, inboxes.c.recipient == items.recipient))
    .subquery("woken")
)
_WAKE = (
    update(inbox_items)
    .where(
        items.service == _woken.c.service,
        items.recipient == _woken.c.recipient,
        items.seq == _woken.c.seq,
    )
    .values(seq=_woken.c.new_seq, snoozed_until=null(), read_at=null(), seen_at=null())
    .returning(items.service, items.recipient)
)


async def add_all(
    connection: AsyncConnection, *, messages: Sequence[Message], lock: Select[Any], meant: Meant
) -> Collection[tuple[str, str]]:
    """Add those that are not there yet to the inboxes that can be locked; returns these."""
    held = await _hold(connection, set(map(inbox_of, messages)), lock, meant)
    new = {
        each.id: replace(each, recipient=held[inbox_of(each)][1])
        for each in messages
        if inbox_of(each) in held
    }
    result = await connection.execute(_ADD, {"rows": joined(map(message_row, new.values()))})
    added = Counter((row.service, row.recipient) for row in result)
    if added:
        await connection.execute(_COUNT, {"rows": _counts_of(added)})
    return held.keys()


async def _hold(
    connection: AsyncConnection, names: Collection[Name], lock: Select[Any], meant: Meant
) -> Mapping[Name, Name]:
    """Lock those that can be locked; returns by which names they are kept."""
    locked = await _make_and_lock(connection, names, lock)
    # Only now, as a merge holds what it moves. Nobody waits for a second one with one in hand.
    kept = await meant(connection, locked)
    if elsewhere := set(kept.values()) - locked:
        locked |= await _make_and_lock(connection, elsewhere, LOCK_FREE)
    return {name: inbox for name, inbox in kept.items() if inbox in locked}


async def _make_and_lock(
    connection: AsyncConnection, names: Collection[Name], lock: Select[Any]
) -> set[Name]:
    rows = {"rows": names_of(names)}
    await connection.execute(MAKE, rows)
    return {(row.service, row.recipient) for row in await connection.execute(lock, rows)}


def inbox_of(message: Message) -> tuple[str, str]:
    """Return whose inbox it is for: service and recipient."""
    return message.service, message.recipient


async def find_due(connection: AsyncConnection) -> Sequence[tuple[str, str, int]]:
    """Return the snoozed ones whose time has come: service, recipient and seq."""
    result = await connection.execute(_DUE)
    return [(row.service, row.recipient, row.seq) for row in result]


async def wake_due(connection: AsyncConnection, *, due: Sequence[tuple[str, str, int]]) -> int:
    """Bring those back whose inbox can be locked; returns how many."""
    names = names_of({(service, recipient) for service, recipient, _ in due})
    result = await connection.execute(LOCK_FREE, {"rows": names})
    locked = {(row.service, row.recipient) for row in result}
    rows = joined(
        encode({"service": service, "recipient": recipient, "seq": seq})
        for service, recipient, seq in due
        if (service, recipient) in locked
    )
    woken = Counter(
        (row.service, row.recipient) for row in await connection.execute(_WAKE, {"rows": rows})
    )
    if woken:
        await connection.execute(_COUNT, {"rows": _counts_of(woken)})
    return woken.total()


def _counts_of(added: Mapping[tuple[str, str], int]) -> str:
    return joined(
        encode({"service": service, "recipient": recipient, "added": count})
        for (service, recipient), count in added.items()
    )
