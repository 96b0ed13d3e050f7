"""What has become of notifications that others wait for."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Status
from notifier.notification.origin import Condition, Unless
from notifier.store.inbox.tables import inbox_items
from notifier.store.kit.database import Database
from notifier.store.kit.sql import ID, literal_text, parameter
from notifier.store.notification.tables import notifications as n

_i = inbox_items.c
_which = parameter("which_id", ID)
_COME = {
    Condition.READ: select(_i.notification_id).where(
        _i.notification_id == _which, _i.read_at.is_not(None)
    ),
    Condition.DELIVERED: select(n.c.id).where(
        n.c.id == _which, n.c.status == literal_text(Status.DELIVERED)
    ),
}


class SqlFates:
    """`Fates` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_come(self, unless: Unless) -> bool:
        query = _COME[unless.condition]

        async def work(connection: AsyncConnection) -> bool:
            found = await connection.execute(query, {"which_id": unless.id})
            return found.first() is not None

        return await self._database.read(work)
