"""The inboxes' store."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import (
    Row,
    Select,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.inbox import InboxHead, InboxItem, Mark, Part
from notifier.idempotency import Idempotency, Unfinished
from notifier.notification.model import Message
from notifier.store.inbox.arrivals import (
    HEADS,
    LOCK,
    LOCK_FREE,
    add_all,
    find_due,
    inbox_of,
    wake_due,
)
from notifier.store.inbox.marking import END, MarkResult, mark_many, mark_one
from notifier.store.inbox.naming import Meant, Name, names_of
from notifier.store.inbox.tables import IS_IN, inbox_items, items
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database, Work
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.paging import newest_first

_MAX_BATCH = 200
_MOST_STEPS = 200


class SqlInbox:
    """`Inbox` over SQL; each is kept by the name that is `meant`."""

    def __init__(self, database: Database, meant: Meant) -> None:
        self._database = database
        self._meant = meant
        self._deliver = self._batcher(LOCK_FREE)
        self._deliver_late: dict[str, Batcher[Message, bool]] = {}
        self._steps: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def _batcher(self, lock: Select[Any]) -> Batcher[Message, bool]:
        return Batcher(
            partial(self._deliver_all, lock=lock),
            max_batch=_MAX_BATCH,
            timeout_s=self._database.timeout_s,
        )

    async def deliver(self, message: Message) -> None:
        if await self._deliver.submit(message):
            return
        # Somebody changes that inbox. Only others of the service wait for that as well.
        if message.service not in self._deliver_late:
            self._deliver_late[message.service] = self._batcher(LOCK)
        while not await self._deliver_late[message.service].submit(message):
            pass

    async def page(
        self,
        service: str,
        recipient: str,
        *,
        limit: int,
        before: int | None,
        unread_only: bool,
        part: Part = Part.INBOX,
    ) -> Sequence[InboxItem]:
        query = partial(page_of, limit=limit, before=before, unread_only=unread_only, part=part)
        return await self._database.search(self._reading((service, recipient), query))

    async def since(
        self, service: str, recipient: str, seq: int, *, limit: int
    ) -> Sequence[InboxItem]:
        query = partial(_since, seq=seq, limit=limit)
        return await self._database.read(self._reading((service, recipient), query))

    async def mark(
        self,
        service: str,
        recipient: str,
        notification_id: UUID | None,
        mark: Mark,
        *,
        until: datetime | None = None,
        idempotency: Idempotency | None = None,
    ) -> MarkResult:
        inbox = {"which_service": service, "which_recipient": recipient}
        which = {**inbox, **({"until": until} if mark is Mark.SNOOZE else {})}
        if notification_id is not None:
            one = {**which, "which_id": notification_id}
            change = partial(mark_one, mark=mark, which=one, meant=self._meant)
            return await write_once(self._database, idempotency, change)
        change_many = partial(
            mark_many, mark=mark, which=which, meant=self._meant, wanted=idempotency
        )
        # One after the other, so that what is delivered next waits for no more than one of them.
        step = self._steps.setdefault((service, recipient), asyncio.Lock())
        before = END
        for _ in range(_MOST_STEPS):
            async with step:
                marked = await self._database.write(partial(change_many, before=before))
            if not isinstance(marked, int):
                return marked
            before = marked
        return Unfinished((await self.head(service, recipient)).unread)

    async def wake(self) -> int:
        due = await self._database.read(find_due)
        return await self._database.write(partial(wake_due, due=due)) if due else 0

    async def head(self, service: str, recipient: str) -> InboxHead:
        found = await self.heads([(service, recipient)])
        return found.get((service, recipient), InboxHead())

    async def heads(self, inboxes: Collection[Name]) -> Mapping[Name, InboxHead]:
        async def work(connection: AsyncConnection) -> Mapping[Name, InboxHead]:
            kept = await self._meant(connection, inboxes)
            result = await connection.execute(HEADS, {"rows": names_of(set(kept.values()))})
            heads = {(row.service, row.recipient): _to_head(row) for row in result}
            return {name: heads[inbox] for name, inbox in kept.items() if inbox in heads}

        return await self._database.read(work)

    def _reading(
        self, name: Name, query: Callable[[str, str], Select[Any]]
    ) -> Work[Sequence[InboxItem]]:
        async def work(connection: AsyncConnection) -> Sequence[InboxItem]:
            inbox = (await self._meant(connection, [name]))[name]
            return [_to_item(row) for row in await connection.execute(query(*inbox))]

        return work

    async def _deliver_all(self, messages: Sequence[Message], lock: Select[Any]) -> Sequence[bool]:
        locked = await self._database.write(
            partial(add_all, messages=messages, lock=lock, meant=self._meant)
        )
        return [inbox_of(message) in locked for message in messages]


def page_of(
    service: str, recipient: str, *, limit: int, before: int | None, unread_only: bool, part: Part
) -> Select[Any]:
    """Return the query for a page of a part of an inbox."""
    query = _of(service, recipient).where(IS_IN[part])
    if unread_only:
        query = query.where(items.read_at.is_(None))
    return newest_first(query, items.seq, limit=limit, after=before)


def _since(service: str, recipient: str, *, seq: int, limit: int) -> Select[Any]:
    return _of(service, recipient).where(items.seq > seq).order_by(items.seq).limit(limit)


def _of(service: str, recipient: str) -> Select[Any]:
    return select(inbox_items).where(
        inbox_items.c.service == service, inbox_items.c.recipient == recipient
    )


def _to_item(row: Row[Any]) -> InboxItem:
    return InboxItem(
        seq=row.seq,
        notification_id=row.notification_id,
        subject=row.subject,
        text=row.text,
        html=row.html,
        action_url=row.action_url,
        metadata=row.metadata or {},
        created_at=row.created_at,
        read_at=row.read_at,
        seen_at=row.seen_at,
        archived_at=row.archived_at,
        snoozed_until=row.snoozed_until,
    )


def _to_head(row: Row[Any]) -> InboxHead:
    return InboxHead(seq=row.last_seq, version=row.version, unread=row.unread, unseen=row.unseen)
