"""As whom services may send mails."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Row,
    Table,
    Text,
    delete,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import NotFound
from notifier.intake.senders import MAX_SENDERS, Sender, StoredSender, TooMany
from notifier.mailbox import Mailbox
from notifier.store.kit.database import Database
from notifier.store.kit.paging import in_order, listed, matching
from notifier.store.kit.sql import Now, UtcTime
from notifier.store.kit.tables import metadata

senders = Table(
    "senders",
    metadata,
    Column("service", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    # NULL: answers go to the sender.
    Column("reply_to", Text),
    Column("reply_to_name", Text),
    Column("updated_at", UtcTime, nullable=False),
)

_s = senders.c


class SqlSenderStore:
    """`SenderStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[StoredSender]:
        those = select(senders).where(*matching({_s.service: service}))
        query = in_order(those, _s.service, _s.name, limit=limit, after=after)
        return await listed(self._database, query, _to_sender)

    async def of(self, service: str) -> Mapping[str, Sender]:
        query = select(senders).where(_s.service == service)

        async def work(connection: AsyncConnection) -> Mapping[str, Sender]:
            return {row.name: _to_sender(row) for row in await connection.execute(query)}

        return await self._database.read(work)

    async def set(self, sender: Sender) -> StoredSender | TooMany:
        others = select(func.count()).where(_s.service == sender.service, _s.name != sender.name)
        values = {
            "address": sender.mailbox.address,
            "display_name": sender.mailbox.name,
            "reply_to": sender.reply_to.address if sender.reply_to else None,
            "reply_to_name": sender.reply_to.name if sender.reply_to else None,
            "updated_at": Now(),
        }
        statement = (
            insert(senders)
            .values(service=sender.service, name=sender.name, **values)
            .on_conflict_do_update(index_elements=[_s.service, _s.name], set_=values)
            .returning(senders)
        )

        async def work(connection: AsyncConnection) -> StoredSender | TooMany:
            if (await connection.scalars(others)).one() >= MAX_SENDERS:
                return TooMany()
            return _to_sender((await connection.execute(statement)).one())

        return await self._database.write(work)

    async def remove(self, service: str, name: str) -> NotFound | None:
        removal = delete(senders).where(_s.service == service, _s.name == name)

        async def work(connection: AsyncConnection) -> NotFound | None:
            return None if (await connection.execute(removal)).rowcount else NotFound()

        return await self._database.write(work)


def _to_sender(row: Row[Any]) -> StoredSender:
    reply_to = Mailbox(row.reply_to_name, row.reply_to) if row.reply_to else None
    return StoredSender(
        service=row.service,
        name=row.name,
        mailbox=Mailbox(row.display_name, row.address),
        reply_to=reply_to,
        updated_at=row.updated_at,
    )
