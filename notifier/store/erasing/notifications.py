"""What notifications say of somebody, with all that stands beside them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    case,
    delete,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import ERASED
from notifier.audience.recipient import compared
from notifier.notification.model import Channel, Status
from notifier.notification.retention import PurgeReason
from notifier.notification.transitions import CANCEL, SUPPRESS
from notifier.store.erasing.work import Found, Work, theirs
from notifier.store.kit.idempotency import idempotency_keys
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, Now, SecondsFromNow, given_rows, is_key
from notifier.store.notification import timeline
from notifier.store.notification.changes import changes, status_in
from notifier.store.notification.rows import event_row
from notifier.store.notification.suppressing import is_suppressed
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n
from notifier.store.retention import purge_content

_KEYS_KEPT_S = 90_000.0
_APART_S = 1.0
"""An answer is kept with its notification; SQLite has a time for each statement."""
_GONE: Final = "erased"

_ids = given_rows(id=ID)
_CANCEL = changes(CANCEL, _ids)
_SUPPRESS = changes(SUPPRESS, _ids)
_new = given_rows(id=ID, recipient=Text, user_id=Text)
_RENAME = (
    update(n)
    .where(is_key(n.c.id, _new.c.id))
    .values(
        recipient=_new.c.recipient,
        recipient_as_written=null(),
        user_id=_new.c.user_id,
        metadata=null(),
        key=null(),
        traceparent=null(),
        fault_message=case((n.c.fault_message.is_not(None), literal(_GONE))),
        updated_at=Now(),
    )
)
_UNQUOTE = (
    update(events)
    .where(events.c.notification_id.in_(select(_ids.c.id)), events.c.fault_message.is_not(None))
    .values(fault_message=_GONE)
)


async def is_under_way(connection: AsyncConnection, work: Work) -> bool:
    """Whether a provider may be at something: what comes of that is waited for.

    So is what goes to somebody else at an address of theirs that is on the list: it may come back.
    """
    for mine in (*theirs(work), *_barred(work)):
        query = select(n.c.id).where(*mine, n.c.status == Status.PROCESSING.value).limit(1)
        if await connection.scalar(query):
            return True
    return False


async def _first(
    connection: AsyncConnection, work: Work, query: Select[Any], *conditions: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """Return some of their notifications, locked in the order that everybody goes by."""
    for mine in theirs(work):
        some = query.where(*mine, *conditions).order_by(n.c.id).limit(work.at_once)
        found = await connection.execute(some.with_for_update(of=n))
        if rows := list(found):
            return rows
    return ()


async def cancel(connection: AsyncConnection, work: Work) -> Found:
    """Cancel what waits."""
    rows = await _first(connection, work, select(n.c.id), status_in(Status.PENDING))
    if not rows:
        return Found({})
    given = joined(encode({"id": row.id.hex}) for row in rows)
    cancelled = (await connection.execute(_CANCEL, {"rows": given})).all()
    await timeline.append(
        connection, [event_row(row.id, CANCEL.name, row.attempt) for row in cancelled]
    )
    return Found({"cancelled": len(cancelled)})


async def stop_others(connection: AsyncConnection, work: Work) -> Found:
    """Suppress what waits for somebody else at an address for which the list has a hash now."""
    for barred in _barred(work):
        waiting = select(n.c.id).where(*barred, status_in(Status.PENDING)).order_by(n.c.id)
        some = waiting.limit(work.at_once).with_for_update(of=n)
        if ids := (await connection.scalars(some)).all():
            given = joined(encode({"id": id.hex}) for id in ids)
            stopped = (await connection.execute(_SUPPRESS, {"rows": given})).all()
            told = [event_row(row.id, SUPPRESS.name, row.attempt) for row in stopped]
            await timeline.append(connection, told)
            return Found({"suppressed": len(stopped)})
    return Found({})


def _barred(work: Work) -> Iterable[Collection[ColumnElement[bool]]]:
    """Yield conditions, each with an index, of what the list stops by the hash of an address."""
    for channel, address in sorted(work.subject.addresses):
        hashed = {**dict(n.c.items()), "recipient": literal(work.pseudonym(channel, address), Text)}
        here = (n.c.service == work.service, n.c.recipient == address, n.c.channel == str(channel))
        yield (*here, is_suppressed(hashed))


_ENDED = [status for status in Status if status.is_final]
_NAMED = select(
    n.c.id, n.c.channel, n.c.recipient, n.c.user_id, n.c.is_address_given, n.c.created_at
)


async def rename(connection: AsyncConnection, work: Work) -> Found:
    """Let a hash stand for who got it, and nothing for what they got."""
    rows = await _first(connection, work, _NAMED, status_in(*_ENDED))
    if not rows:
        return Found({})
    ids = [row.id for row in rows]
    given = joined(encode({"id": id.hex}) for id in ids)
    await connection.execute(_RENAME, {"rows": joined(encode(_renamed(row, work)) for row in rows)})
    await connection.execute(_UNQUOTE, {"rows": given})
    await purge_content(connection, ids, PurgeReason.ERASURE)
    await _forget_answers(connection, work, rows)
    return Found({"notifications": len(rows)}, _addresses_of(rows))


def _renamed(row: Row[Any], work: Work) -> dict[str, object]:
    user = None if row.user_id is None else work.pseudonym(Channel.IN_APP, row.user_id)
    recipient = row.recipient
    if not recipient.startswith(ERASED):
        recipient = work.pseudonym(Channel(row.channel), recipient)
    return {"id": row.id.hex, "recipient": recipient, "user_id": user}


def _addresses_of(rows: Sequence[Row[Any]]) -> frozenset[tuple[Channel, str]]:
    """Return where these went as their own: they may have been sent to there by address, too."""
    return frozenset(
        (Channel(row.channel), compared(Channel(row.channel), row.recipient))
        for row in rows
        if row.user_id is not None and not row.is_address_given
        if not row.recipient.startswith(ERASED)
    )


async def _forget_answers(
    connection: AsyncConnection, work: Work, rows: Sequence[Row[Any]]
) -> None:
    """Let a repeated request get neither its old answer nor another notification.

    A key that names them goes.
    """
    _k = idempotency_keys.c
    now = (await connection.execute(select(Now()))).scalar_one()
    names = {each.casefold() for each in _names(work)}
    for row in rows:
        if (now - row.created_at).total_seconds() > _KEYS_KEPT_S:
            continue
        since = (now - row.created_at).total_seconds()
        holds = and_(
            _k.service == work.service,
            _k.created_at >= SecondsFromNow(literal(-since - _APART_S)),
            _k.created_at <= SecondsFromNow(literal(-since + _APART_S)),
            _k.answer.contains(str(row.id)),
        )
        keys = (await connection.scalars(select(_k.key).where(holds))).all()
        telling = [key for key in keys if any(name in key.casefold() for name in names)]
        if telling:
            gone = delete(idempotency_keys).where(_k.service == work.service, _k.key.in_(telling))
            await connection.execute(gone)
        await connection.execute(
            update(idempotency_keys).where(holds).values(fingerprint="", answer="")
        )


def _names(work: Work) -> Collection[str]:
    return {*work.subject.user_ids, *(address for _, address in work.subject.addresses)}
