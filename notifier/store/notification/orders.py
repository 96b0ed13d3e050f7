"""One named transition of one notification, asked for by somebody outside the delivery path."""

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Status, Transition
from notifier.ports import Applied, Idempotency, MoveResult, NotFound, Refused
from notifier.store.kit import idempotency as keys
from notifier.store.kit.sql import ID, parameter
from notifier.store.notification import timeline
from notifier.store.notification.changes import changes
from notifier.store.notification.rows import event_row
from notifier.store.tables import notifications as n

_FIND = (
    select(n.c.id, n.c.status, n.c.attempt)
    .where(
        n.c.id == parameter("which_id", ID),
        or_(parameter("which_service").is_(None), n.c.service == parameter("which_service")),
    )
    .with_for_update(of=n)
)
_named = select(parameter("which_id", ID).label("id")).subquery("picked")


async def move(
    connection: AsyncConnection,
    *,
    transition: Transition,
    id: UUID,
    service: str | None,
    wanted: Idempotency | None,
) -> MoveResult:
    """Apply any transition that needs nothing but its name; a refusal keeps no key."""
    if wanted and (earlier := await keys.keep(connection, [wanted])):
        return keys.answer_again(wanted, earlier[keys.name_of(wanted)])
    found = (
        await connection.execute(_FIND, {"which_id": id, "which_service": service})
    ).one_or_none()
    if found and (await connection.execute(changes(transition, _named), {"which_id": id})).all():
        await timeline.append(connection, [event_row(id, transition.name, found.attempt)])
        return Applied()
    await connection.rollback()
    return Refused(Status(found.status)) if found else NotFound()
