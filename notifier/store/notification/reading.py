"""Reading notifications."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.errors import SchemaError, StoreUnavailableError
from notifier.evidence import Outage
from notifier.notification.model import Notification, TimelineEntry
from notifier.notification.reading import Account, Backlog, NotificationFilter, Page, Waiting
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import idempotency_keys
from notifier.store.kit.sql import ID, Now, parameter
from notifier.store.migrations import problem_of
from notifier.store.notification import accounting, searching, waiting
from notifier.store.notification.rows import to_notification, to_timeline_entry
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n

_MOST_ENTRIES = 250
_MOST_FORWARDS = 50
_TIMELINE = (
    select(events)
    .where(events.c.notification_id == parameter("id", ID))
    .order_by(events.c.notification_id.desc(), events.c.id.desc())
    .limit(_MOST_ENTRIES)
)
_FORWARDS = (
    select(n.c.id)
    .where(n.c.forwarded_from == parameter("id", ID), n.c.forwarded_from.is_not(None))
    .order_by(n.c.id)
    .limit(_MOST_FORWARDS)
)
_PING = select(literal(1))
# One row, which no client's key can be, as keys are not empty.
_PROOF = (
    insert(idempotency_keys)
    .values(service="", key="", fingerprint="", answer="", created_at=Now())
    .on_conflict_do_update(
        index_elements=[idempotency_keys.c.service, idempotency_keys.c.key],
        set_={"created_at": Now()},
    )
)


class SqlQueryStore:
    """`QueryStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, id: UUID, *, service: str | None) -> Notification | None:
        query = select(n).where(n.c.id == id)
        if service is not None:
            query = query.where(n.c.service == service)

        async def work(connection: AsyncConnection) -> Notification | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else to_notification(row)

        return await self._database.read(work)

    async def timeline(self, id: UUID) -> Sequence[TimelineEntry]:
        async def work(connection: AsyncConnection) -> Sequence[TimelineEntry]:
            result = await connection.execute(_TIMELINE, {"id": id})
            return [to_timeline_entry(row) for row in reversed(result.all())]

        return await self._database.read(work)

    async def forwards(self, id: UUID) -> Sequence[UUID]:
        async def work(connection: AsyncConnection) -> Sequence[UUID]:
            return (await connection.scalars(_FORWARDS, {"id": id})).all()

        return await self._database.read(work)

    async def list(
        self, filter: NotificationFilter, *, service: str | None, limit: int, after: UUID | None
    ) -> Page:
        search = partial(searching.search, filter=filter, service=service, limit=limit, after=after)
        return await self._database.search(search)

    async def count(self, filter: NotificationFilter, *, service: str | None) -> int:
        counting = searching.counting(filter, service)

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(counting)).scalar_one()

        return await self._database.search(work)

    async def account(self, *, service: str | None, after: UUID | None = None) -> Account:
        count = partial(accounting.account, service=service, after=after)
        return await self._database.search(count)

    async def backlog(self) -> Backlog:
        return await self._database.search(accounting.backlog)

    async def waiting(self) -> Sequence[Waiting]:
        return await self._database.search(waiting.waiting)

    async def ping(self) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_PING)

        await self._database.read(work)

    async def prove(self) -> None:
        if problem := await self._database.prove(_prove):
            raise StoreUnavailableError(problem)

    async def outage(self) -> Outage | None:
        """For how long the database has taken no writes at all; None if it takes some.

        Like `prove` it believes what became of the last ones, or tries.
        """
        return await self._database.outage(_prove)

    async def schema_problem(self) -> str | None:
        try:
            return await self._database.read(problem_of)
        except SchemaError as error:
            return str(error)


async def _prove(connection: AsyncConnection) -> None:
    await connection.execute(_PROOF)
