"""Taking items out of inboxes for good."""

from collections import Counter
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import BigInteger, Text, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.inbox import Part
from notifier.store.inbox.arrivals import LOCK
from notifier.store.inbox.naming import names_of
from notifier.store.inbox.tables import IS_IN, inbox_items, inboxes, items
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, given_rows

_ids = given_rows(id=ID)
_is_given = items.notification_id.in_(select(_ids.c.id))
_FIND_OWNERS = select(items.service, items.recipient).where(_is_given).distinct()
_COUNTED = select(items.service, items.recipient, items.read_at, items.seen_at).where(
    _is_given, IS_IN[Part.INBOX]
)
_REMOVE = delete(inbox_items).where(_is_given)
_fewer = given_rows(service=Text, recipient=Text, unread=BigInteger, unseen=BigInteger)
_COUNT_REMOVED = (
    update(inboxes)
    .where(and_(inboxes.c.service == _fewer.c.service, inboxes.c.recipient == _fewer.c.recipient))
    .values(
        unread=inboxes.c.unread - _fewer.c.unread,
        unseen=inboxes.c.unseen - _fewer.c.unseen,
        version=inboxes.c.version + 1,
    )
)


async def remove(connection: AsyncConnection, notifications: Collection[UUID]) -> int:
    """Remove the items of these from their inboxes; returns how many."""
    rows = {"rows": joined(encode({"id": id.hex}) for id in notifications)}
    owners = [(row.service, row.recipient) for row in await connection.execute(_FIND_OWNERS, rows)]
    if not owners:
        return 0
    await connection.execute(LOCK, {"rows": names_of(owners)})
    counted = (await connection.execute(_COUNTED, rows)).all()
    removed = (await connection.execute(_REMOVE, rows)).rowcount
    unread = Counter((row.service, row.recipient) for row in counted if row.read_at is None)
    unseen = Counter((row.service, row.recipient) for row in counted if row.seen_at is None)
    fewer = joined(
        encode(
            {
                "service": owner[0],
                "recipient": owner[1],
                "unread": unread[owner],
                "unseen": unseen[owner],
            }
        )
        for owner in owners
    )
    await connection.execute(_COUNT_REMOVED, {"rows": fewer})
    return removed
