"""Changing where a notification goes while it is under lease."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.recipient import compared
from notifier.delivery.ports import Claimed
from notifier.store.kit.sql import Now
from notifier.store.notification.rows import as_written
from notifier.store.notification.suppressing import is_suppressed
from notifier.store.notification.tables import notifications as n


async def redirect(connection: AsyncConnection, claimed: Claimed, recipient: str) -> bool:
    """Give it another address; whether it may be sent there."""
    there = compared(claimed.channel, recipient)
    statement = (
        update(n)
        .where(n.c.id == claimed.id, n.c.lease_token == claimed.lease_token)
        .values(
            recipient=there, recipient_as_written=as_written(recipient, there), updated_at=Now()
        )
        .returning(n.c.id)
    )
    if (await connection.execute(statement)).one_or_none() is None:
        return False
    query = select(is_suppressed(n.c)).where(n.c.id == claimed.id)
    return not await connection.scalar(query)
