"""The timeline: one row for each change of a notification, written with the change."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Float, Integer, Text, and_, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import Finish
from notifier.store.rows import RowJson, encode, joined
from notifier.store.sql import ID, Now, given_rows
from notifier.store.tables import notification_events, notifications

Ending: TypeAlias = tuple[UUID, int, str, str | None]
"""A notification, an attempt of it, what ended that, and at which provider."""

ACCEPT = "accept"
LATE_COMPLETION = "late_completion"
FAILOVER = "failover"

_DETAILS = {
    "provider": Text,
    "provider_id": Text,
    "fault_kind": Text,
    "fault_code": Text,
    "fault_message": Text,
    "delay_s": Float,
}
_given = given_rows(nth=Integer, id=ID, event=Text, attempt=Integer, **_DETAILS)
_APPEND = insert(notification_events).from_select(
    ["notification_id", "service", "at", "event", "attempt", *_DETAILS],
    select(
        notifications.c.id,
        notifications.c.service,
        Now(),
        _given.c.event,
        _given.c.attempt,
        *(_given.c[name] for name in _DETAILS),
    )
    .join_from(_given, notifications, notifications.c.id == _given.c.id)
    .order_by(_given.c.nth),
)

_attempts = given_rows(id=ID, attempt=Integer)
_ENDINGS = select(
    notification_events.c.notification_id,
    notification_events.c.attempt,
    notification_events.c.event,
    notification_events.c.provider,
).join_from(
    _attempts,
    notification_events,
    and_(
        notification_events.c.notification_id == _attempts.c.id,
        notification_events.c.attempt == _attempts.c.attempt,
    ),
)


async def append(connection: AsyncConnection, events: Sequence[RowJson]) -> None:
    """Add rows to the timelines of notifications that exist."""
    if events:
        await connection.execute(_APPEND, {"rows": joined(events)})


def ending_of(finish: Finish) -> Ending:
    """Return what the timeline holds once this finish was recorded."""
    return (finish.id, finish.attempt, finish.transition.name, finish.provider)


async def endings(connection: AsyncConnection, finishes: Iterable[Finish]) -> Collection[Ending]:
    """Return everything that happened in these attempts."""
    rows = joined(encode({"id": each.id.hex, "attempt": each.attempt}) for each in finishes)
    result = await connection.execute(_ENDINGS, {"rows": rows})
    return {(row.notification_id, row.attempt, row.event, row.provider) for row in result}
