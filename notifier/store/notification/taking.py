"""Taking what nobody else is at, a limited number at a time."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Float, Integer, Select, Update, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.envelope import Envelope
from notifier.store.kit.sql import Now, SecondsFromNow, is_key, parameter
from notifier.store.notification.changes import taken
from notifier.store.notification.rows import to_envelope
from notifier.store.notification.tables import notifications as n

given_limit = parameter("limit", Integer)
given_hold_s = parameter("hold_s", Float)
is_up = n.c.relay_at <= Now()


def held(candidates: Select[tuple[UUID]]) -> Update:
    """Return the statement that takes candidates for `HOLD_S`: until then no other relay does."""
    picked = taken(candidates)
    return (
        update(n)
        .where(is_key(n.c.id, picked.c.id))
        .values(relay_at=SecondsFromNow(given_hold_s))
        .returning(n.c.id, n.c.channel, n.c.lane, n.c.attempt, n.c.traceparent)
    )


async def take(
    connection: AsyncConnection,
    statement: Update,
    limit: int,
    hold_s: float,
    **parameters: object,
) -> Sequence[Envelope]:
    """Run such a statement; returns what is to be published."""
    result = await connection.execute(statement, {"limit": limit, "hold_s": hold_s, **parameters})
    return [to_envelope(row) for row in result]
