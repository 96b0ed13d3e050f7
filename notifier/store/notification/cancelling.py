"""Taking back what is pending, by the key that it was made with."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Status
from notifier.notification.transitions import CANCEL
from notifier.store.kit.sql import literal_text, parameter
from notifier.store.notification import timeline
from notifier.store.notification.changes import changes, taken
from notifier.store.notification.rows import event_row
from notifier.store.notification.tables import notifications as n

_picked = select(n.c.id).where(
    n.c.service == parameter("of_service"),
    n.c.key == parameter("of_key"),
    n.c.key.is_not(None),
    n.c.status == literal_text(Status.PENDING),
    or_(parameter("of_rule").is_(None), n.c.rule == parameter("of_rule")),
    or_(parameter("of_event").is_(None), n.c.skip_on == parameter("of_event")),
)
_CANCEL = changes(CANCEL, taken(_picked))


async def cancel_within(
    connection: AsyncConnection,
    service: str,
    key: str,
    *,
    rule: str | None = None,
    unless_event: str | None = None,
) -> Collection[UUID]:
    """Cancel what is pending with a key: of one rule, and that an event keeps back, or all."""
    named = {
        "of_service": service,
        "of_key": key,
        "of_rule": rule,
        "of_event": unless_event,
    }
    cancelled = (await connection.execute(_CANCEL, named)).all()
    await timeline.append(
        connection, [event_row(each.id, CANCEL.name, each.attempt) for each in cancelled]
    )
    return [each.id for each in cancelled]
