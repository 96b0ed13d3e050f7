"""One named transition of one notification, asked for by somebody outside the delivery path."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import Applied, Idempotency, NotFound
from notifier.notification.model import Channel, Status
from notifier.notification.orders import Erased, MoveResult, Refused
from notifier.notification.transitions import REPLAY, Transition
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.naming import is_named, named
from notifier.store.kit.sql import ID, parameter
from notifier.store.notification import timeline
from notifier.store.notification.cancelling import cancel_within
from notifier.store.notification.changes import changes, is_kept, status_in, taken
from notifier.store.notification.rows import event_row
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.taking import given_limit

_FIND = (
    select(n.c.id, n.c.status, n.c.attempt, is_kept().label("is_kept"))
    .where(is_named(n))
    .with_for_update(of=n)
)
_named = select(parameter("which_id", ID).label("id")).subquery("picked")


async def move(
    connection: AsyncConnection,
    *,
    transition: Transition,
    id: UUID,
    service: str | None,
) -> Applied | Refused | Erased | NotFound:
    """Apply any transition that needs nothing but its name."""
    found = (await connection.execute(_FIND, named(id, service))).one_or_none()
    if found is None:
        return NotFound()
    if (await connection.execute(changes(transition, _named), {"which_id": id})).all():
        await timeline.append(connection, [event_row(id, transition.name, found.attempt)])
        return Applied()
    status = Status(found.status)
    is_erased = transition is REPLAY and status in REPLAY.sources and not found.is_kept
    return Erased() if is_erased else Refused(status)


_replayable = select(n.c.id).where(
    status_in(*REPLAY.sources),
    is_kept(),
    n.c.id > parameter("after", ID),
    or_(parameter("which_channel").is_(None), n.c.channel == parameter("which_channel")),
)
_REPLAY = changes(REPLAY, taken(_replayable.order_by(n.c.id).limit(given_limit)))


async def replay_failed(
    connection: AsyncConnection, *, channel: Channel | None, limit: int, after: UUID | None
) -> Sequence[UUID]:
    """REPLAY what failed and is not erased."""
    parameters = {"which_channel": channel, "limit": limit, "after": after or UUID(int=0)}
    result = (await connection.execute(_REPLAY, parameters)).all()
    await timeline.append(
        connection, [event_row(row.id, REPLAY.name, row.attempt) for row in result]
    )
    return sorted(row.id for row in result)


class SqlOrders:
    """`Orders` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def move(
        self,
        transition: Transition,
        id: UUID,
        *,
        service: str | None,
        idempotency: Idempotency | None = None,
    ) -> MoveResult:
        change = partial(move, transition=transition, id=id, service=service)
        return await write_once(self._database, idempotency, change)

    async def cancel_keyed(self, service: str, key: str) -> int:
        cancelled = await self._database.write(partial(cancel_within, service=service, key=key))
        return len(cancelled)

    async def replay_failed(
        self, *, channel: Channel | None, limit: int, after: UUID | None = None
    ) -> Sequence[UUID]:
        return await self._database.write(
            partial(replay_failed, channel=channel, limit=limit, after=after)
        )
