"""The life of notifications in the database."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

from notifier.notification.model import (
    Channel,
    Claimed,
    Envelope,
    Finish,
    Lane,
    Snoozes,
    Submission,
    Transition,
)
from notifier.ports import (
    WORK_QUEUES,
    Idempotency,
    InsertResult,
    KeyReused,
    MoveResult,
    NotFound,
    QueueDepth,
    Remembered,
    RescuePolicy,
    WorkQueue,
)
from notifier.store.kit import idempotency
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database
from notifier.store.notification import attempts, due, intake, orders, snoozes, upkeep
from notifier.store.notification.attempts import ClaimRequest
from notifier.store.notification.intake import Intake

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_FEW = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """How long others are given before a relay takes over, and the size of batches.

    A notification that its API has not published, and a failure that its worker has not buried,
    are left to a relay after `grace_s`; a published one is taken for lost after `lost_after_s`,
    and ever more rarely where that does not help, or after `missing_after_s` where there are more
    of them than the broker can hold.
    """

    grace_s: float = 5
    lost_after_s: float = 60
    missing_after_s: float = 10
    max_batch: int = 200
    max_insert: int = 1_000


def _rows(asked: Intake) -> int:
    return len(asked.rows)


class SqlDeliveryStore:
    """`DeliveryStore` over SQL; all its hot operations share round trips."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        self._missing_after_s = settings.missing_after_s
        grace_s = settings.grace_s
        insert_new = partial(intake.insert_new, grace_s=grace_s)
        insert_again = partial(intake.insert_again, grace_s=grace_s)
        self._insert_few = self._batcher(insert_new, settings.max_insert, weigh=_rows)
        self._insert_many = self._batcher(insert_new, settings.max_insert, weigh=_rows)
        self._insert_again = self._batcher(insert_again, settings.max_insert, weigh=_rows)
        mark_published = partial(attempts.mark_published, lost_after_s=settings.lost_after_s)
        self._published = self._batcher(mark_published, settings.max_batch, weigh=len)
        self._buried = self._batcher(attempts.mark_buried, settings.max_batch, weigh=len)
        self._claim = self._batcher(attempts.claim, settings.max_batch)
        self._finish = self._batcher(partial(attempts.finish, grace_s=grace_s), settings.max_batch)

    def _batcher(
        self,
        work: Callable[[Database, Sequence[Request]], Awaitable[Sequence[Answer]]],
        max_batch: int,
        weigh: Callable[[Request], int] = lambda _request: 1,
    ) -> Batcher[Request, Answer]:
        return Batcher(
            partial(work, self._database),
            max_batch=max_batch,
            timeout_s=self._database.timeout_s,
            weigh=weigh,
        )

    async def insert(
        self, submissions: Sequence[Submission], idempotency: Idempotency | None = None
    ) -> InsertResult:
        deadline = asyncio.get_running_loop().time() + self._database.timeout_s
        asked = intake.intake_of(submissions, idempotency)
        # Whoever brings a thousand keeps nobody waiting who brings one.
        inserting = self._insert_few if len(submissions) <= _FEW else self._insert_many
        result = await inserting.submit(asked, deadline=deadline)
        if result is not None:
            return result
        # Apart, so that nobody whose key is new waits for somebody else's.
        return await self._insert_again.submit(asked, deadline=deadline)

    async def mark_published(self, envelopes: Sequence[Envelope]) -> None:
        await self._published.submit(envelopes)

    async def claim(
        self, envelope: Envelope, *, lease_token: UUID, lease_s: float, leased_by: str
    ) -> Claimed | NotFound | None:
        return await self._claim.submit(
            ClaimRequest(
                envelope=envelope, lease_token=lease_token, lease_s=lease_s, leased_by=leased_by
            )
        )

    async def finish(self, finish: Finish) -> bool:
        return await self._finish.submit(attempts.checked(finish))

    async def snoozes(self, id: UUID) -> Snoozes:
        return await self._database.read(partial(snoozes.snoozes, id=id))

    async def due_queues(self, lanes: Collection[Lane] = tuple(Lane)) -> Sequence[WorkQueue]:
        return await self._database.read(partial(due.due_queues, lanes=lanes))

    async def take_due(
        self, limit: int, *, hold_s: float, queues: Collection[WorkQueue] = WORK_QUEUES
    ) -> Sequence[Envelope]:
        return await self._database.write(
            partial(due.take_due, limit=limit, hold_s=hold_s, queues=queues)
        )

    async def take_lost(
        self, limit: int, *, hold_s: float, empty: Collection[tuple[Channel, Lane]]
    ) -> Sequence[Envelope]:
        if not empty:
            return []
        return await self._database.write(
            partial(upkeep.take_lost, limit=limit, hold_s=hold_s, empty=empty)
        )

    async def unpublish_missing(self, limit: int, *, queue: QueueDepth) -> int:
        unpublish = partial(upkeep.unpublish_missing, missing_after_s=self._missing_after_s)
        return await self._database.write(partial(unpublish, limit=limit, queue=queue))

    async def rescue(self, limit: int, policies: Mapping[Channel, RescuePolicy]) -> int:
        return await self._database.write(partial(upkeep.rescue, limit=limit, policies=policies))

    async def end_leases(self, leased_by: str) -> int:
        return await self._database.write(partial(upkeep.end_leases, leased_by=leased_by))

    async def expire(self, limit: int) -> int:
        return await self._database.write(partial(upkeep.expire, limit=limit))

    async def take_unburied(self, limit: int, *, hold_s: float) -> Sequence[Envelope]:
        return await self._database.write(partial(upkeep.take_unburied, limit=limit, hold_s=hold_s))

    async def mark_buried(self, envelopes: Sequence[Envelope]) -> None:
        await self._buried.submit(envelopes)

    async def channels_with_stale_dead_letters(self) -> Collection[Channel]:
        return await self._database.read(upkeep.channels_with_stale_dead_letters)

    async def recall(self, letters: Sequence[Envelope]) -> int:
        return await self._database.write(partial(upkeep.recall, letters=letters))

    async def stale_dead_letters(self, envelopes: Sequence[Envelope]) -> Collection[Envelope]:
        return await self._database.write(partial(upkeep.stale_dead_letters, envelopes=envelopes))

    async def mark_unburied(self, channel: Channel, envelopes: Sequence[Envelope]) -> None:
        await self._database.write(
            partial(upkeep.mark_unburied, channel=channel, envelopes=envelopes)
        )

    async def move(
        self,
        transition: Transition,
        id: UUID,
        *,
        service: str | None,
        idempotency: Idempotency | None = None,
    ) -> MoveResult:
        return await self._database.write(
            partial(orders.move, transition=transition, id=id, service=service, wanted=idempotency)
        )

    async def replay_failed(
        self, *, channel: Channel | None, limit: int, after: UUID | None = None
    ) -> Sequence[UUID]:
        return await self._database.write(
            partial(upkeep.replay_failed, channel=channel, limit=limit, after=after)
        )

    async def unpublish(self, limit: int) -> int:
        return await self._database.write(partial(upkeep.unpublish, limit=limit))

    async def remembered(
        self, *, service: str, key: str, fingerprint: str
    ) -> Remembered | KeyReused | None:
        wanted = Idempotency(service=service, key=key, fingerprint=fingerprint, answer="")
        return await self._database.write(partial(idempotency.find, wanted=wanted))

    async def purge_idempotency_keys(self) -> int:
        total = 0
        while purged := await self._database.write(idempotency.purge):
            total += purged
        return total
