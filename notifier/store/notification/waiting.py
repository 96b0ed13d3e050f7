"""What waits to be delivered, and for how long."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel, Lane, Status
from notifier.notification.queueing import WORK_QUEUES, WorkQueue
from notifier.notification.reading import Waiting
from notifier.store.kit.sql import Now, SecondsUntil, literal_text
from notifier.store.notification.changes import status_in
from notifier.store.notification.tables import notifications as n

_LOOKED_AT: Final = 1_000


def _first(queue: WorkQueue, *, is_published: bool) -> Select[str, str, str]:
    """The first pending ones of a queue, read from a partial index in its order."""
    channel, lane = queue
    at = n.c.published_at
    pending = select(n.c.channel, n.c.lane, n.c.due_at).where(
        status_in(Status.PENDING),
        at.is_not(None) if is_published else at.is_(None),
        n.c.channel == literal_text(channel),
        n.c.lane == literal_text(lane),
    )
    order = (n.c.relay_at,) if is_published else (n.c.service, n.c.relay_at)
    return select(pending.order_by(*order).limit(_LOOKED_AT).subquery())


_looked_at = union_all(
    *(_first(queue, is_published=each) for queue in WORK_QUEUES for each in (True, False))
).subquery()
_OLDEST = (
    select(
        _looked_at.c.channel,
        _looked_at.c.lane,
        (-SecondsUntil(func.min(_looked_at.c.due_at))).label("oldest_s"),
    )
    .where(_looked_at.c.due_at <= Now())
    .group_by(_looked_at.c.channel, _looked_at.c.lane)
)


async def waiting(connection: AsyncConnection) -> Sequence[Waiting]:
    """Return for how long the oldest of each queue waits, of the queues in which one does."""
    return [
        Waiting(channel=Channel(row.channel), lane=Lane(row.lane), oldest_s=max(0.0, row.oldest_s))
        for row in await connection.execute(_OLDEST)
    ]
