"""By hand, gathering: while a statement is under way, the next batch gathers. See by_hand.py.

What somebody who has measured the plain one would do next: inserts, claims and ends each go as
one statement of many rows, whose callers each get their own row's answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from by_hand import application, hand_over, publish, resources, work
from common import NotificationRequest

MOST = 500
INSERT = """
    INSERT INTO notifications (id, type, recipient, subject, content, priority)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
"""
CLAIM = """
    UPDATE notifications SET status = 'processing' WHERE id = ANY($1::uuid[]) AND status = 'pending'
    RETURNING id, recipient, subject, content
"""
FINISH = """
    WITH sent AS (
        UPDATE notifications SET status = 'sent', sent_at = clock_timestamp()
        WHERE id = ANY($1::uuid[]) AND status = 'processing' RETURNING id
    )
    INSERT INTO notification_events (notification_id, event) SELECT id, 'sent' FROM sent
"""
Item = TypeVar("Item")
Answer = TypeVar("Answer")
Row = tuple[UUID, str, str, str, str, str]
Content = tuple[str, str, str]


class Gathering(Generic[Item, Answer]):
    """Calls that share a round trip."""

    def __init__(self, settle: Callable[[list[Item]], Awaitable[Sequence[Answer]]]) -> None:
        self._settle = settle
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Answer:
        """The answer to this item."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._settle_all())
        return await future

    async def _settle_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                answers = await self._settle([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001  each caller's to deal with
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        self._task = None


async def _insert(rows: list[Row]) -> Sequence[None]:
    await resources.pool.execute(INSERT, *map(list, zip(*rows, strict=True)))
    return [None] * len(rows)


async def _claim(ids: list[UUID]) -> Sequence[Content | None]:
    rows = await resources.pool.fetch(CLAIM, ids)
    claimed = {id: content for id, *content in rows}
    # Of two messages for one notification in a batch, one has claimed it.
    return [claimed.pop(id, None) for id in ids]


async def _finish(ids: list[UUID]) -> Sequence[None]:
    await resources.pool.execute(FINISH, ids)
    return [None] * len(ids)


insert, claim, finish = Gathering(_insert), Gathering(_claim), Gathering(_finish)


async def accept(asked: NotificationRequest) -> UUID:
    """Commit it, then publish it."""
    id = uuid4()
    await insert((id, asked.type, asked.recipient, asked.subject, asked.content, asked.priority))
    await publish(id)
    return id


async def deliver(id: UUID) -> None:
    """Send it, if it is still pending."""
    content = await claim(id)
    if content is None:
        return
    await hand_over(id, *content)
    await finish(id)


app = application(accept)

if __name__ == "__main__":
    work(deliver)
