"""How long a notification has been put off, because its provider refuses us or is in trouble."""

from uuid import UUID

from sqlalchemy import and_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import REPLAY, SNOOZE, Snoozes
from notifier.store.sql import ID, SecondsUntil, literal_text, parameter
from notifier.store.tables import notification_events as events

SYSTEMIC = "systemic"
"""The kind of fault that stands for a refusal of us, or for an open breaker."""

_of_it = events.c.notification_id == parameter("which_id", ID)
_last_replay = (
    select(func.coalesce(func.max(events.c.id), literal(0)))
    .where(_of_it, events.c.event == literal_text(REPLAY.name))
    .scalar_subquery()
)
_SNOOZES = select(
    func.count().label("count_"),
    func.coalesce(-SecondsUntil(func.min(events.c.at)), literal(0.0)).label("for_s"),
).where(
    and_(
        _of_it,
        events.c.id > _last_replay,
        events.c.event == literal_text(SNOOZE.name),
        events.c.fault_kind == literal_text(SYSTEMIC),
    )
)


async def snoozes(connection: AsyncConnection, id: UUID) -> Snoozes:
    """Return how often and for how long, since it was accepted or last replayed."""
    found = (await connection.execute(_SNOOZES, {"which_id": id})).one()
    return Snoozes(count=found.count_, for_s=max(0.0, found.for_s))
