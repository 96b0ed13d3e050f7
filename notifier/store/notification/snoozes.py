"""What is put off because its provider refuses us or is in trouble, and for how long."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Select, and_, case, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.delivery.ports import Snoozes
from notifier.notification.model import Status
from notifier.notification.outcomes import PAUSED
from notifier.notification.transitions import REPLAY, SNOOZE
from notifier.providers.account import PutOff
from notifier.store.kit.sql import ID, SecondsUntil, UtcTime, literal_text, parameter
from notifier.store.notification.changes import status_in
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n

SYSTEMIC = "systemic"
"""The kind of fault that stands for a refusal of us, or for an open breaker."""

_LOOKED_AT: Final = 10_000

_of_it = events.c.notification_id == parameter("which_id", ID)
_last_replay = (
    select(func.coalesce(func.max(events.c.id), literal(0)))
    .where(_of_it, events.c.event == literal_text(REPLAY.name))
    .scalar_subquery()
)
_is_systemic = events.c.fault_kind == literal_text(SYSTEMIC)
_first_at = func.min(events.c.at)
_first_systemic_at = func.min(case((_is_systemic, events.c.at)), type_=UtcTime)
_SNOOZES = select(
    func.count(case((_is_systemic, 1))).label("count_"),
    func.coalesce(-SecondsUntil(_first_systemic_at), literal(0.0)).label("for_s"),
    func.coalesce(-SecondsUntil(_first_at), literal(0.0)).label("in_all_s"),
).where(
    and_(
        _of_it,
        events.c.id > _last_replay,
        events.c.event == literal_text(SNOOZE.name),
        func.coalesce(events.c.fault_code, literal_text("")) != literal_text(PAUSED),
    )
)


def _first(condition: ColumnElement[bool], *order: Column[Any]) -> Select[Any]:
    """The first pending ones where `condition` holds, read from a partial index in its order."""
    pending = select(n.c.provider, n.c.fault_kind, n.c.created_at).where(
        status_in(Status.PENDING), condition
    )
    return select(pending.order_by(*order).limit(_LOOKED_AT).subquery())


_pending = union_all(
    _first(n.c.published_at.is_(None), n.c.channel, n.c.lane, n.c.service, n.c.relay_at),
    _first(n.c.published_at.is_not(None), n.c.channel, n.c.lane, n.c.relay_at),
).subquery()
_PUT_OFF = (
    select(
        _pending.c.provider,
        func.count().label("count_"),
        (-SecondsUntil(func.min(_pending.c.created_at))).label("oldest_s"),
    )
    .where(_pending.c.fault_kind == literal_text(SYSTEMIC), _pending.c.provider.is_not(None))
    .group_by(_pending.c.provider)
    .order_by(_pending.c.provider)
)


async def put_off(connection: AsyncConnection) -> Sequence[PutOff]:
    """Return how many wait for a systemic reason, by provider."""
    return [
        PutOff(provider=row.provider, count=row.count_, oldest_s=max(0.0, row.oldest_s))
        for row in await connection.execute(_PUT_OFF)
    ]


async def snoozes(connection: AsyncConnection, id: UUID) -> Snoozes:
    """Return how often and for how long, since it was accepted or last replayed."""
    found = (await connection.execute(_SNOOZES, {"which_id": id})).one()
    return Snoozes(
        count=found.count_,
        for_s=max(0.0, found.for_s),
        in_all_s=max(0.0, found.in_all_s),
    )
