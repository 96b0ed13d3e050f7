"""Changing where a notification goes while it is under lease."""

from sqlalchemy import literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import Pseudonyms
from notifier.audience.recipient import compared
from notifier.delivery.ports import Claimed
from notifier.store.kit.sql import Now
from notifier.store.notification.rows import as_written
from notifier.store.notification.suppressing import is_suppressed
from notifier.store.notification.tables import notifications as n


async def redirect(
    connection: AsyncConnection,
    *,
    claimed: Claimed,
    recipient: str,
    pseudonyms: Pseudonyms | None,
) -> bool:
    """Give it another address; whether it may be sent there.

    `pseudonyms` are those by which an address is known that was erased.
    """
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
    is_barred = is_suppressed(n.c)
    if pseudonyms:
        erased = literal(pseudonyms.of(claimed.service, claimed.channel, recipient))
        is_barred = or_(is_barred, is_suppressed({**dict(n.c.items()), "recipient": erased}))
    return not await connection.scalar(select(is_barred).where(n.c.id == claimed.id))
