"""Statements that meet on one row: the second waits for the first, and sees what that did."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sized
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Executable, text

from notifier.delivery.ports import Claimed, RescuePolicy
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane, OnUnknown, Status
from notifier.notification.orders import Refused
from notifier.notification.queueing import QueueDepth
from notifier.notification.transitions import CANCEL, FAIL, SUCCEED
from notifier.store.kit.rows import joined
from notifier.store.notification import attempts, finishing, inserting, publications
from notifier.store.notification.attempts import ClaimRequest
from notifier.store.notification.rows import envelope_row, finish_row, submission_row
from tests.clock import SystemClock
from tests.contract.store.stores import Stores, a_submission, an_end, envelope_of, open_stores
from tests.patience import HASTY

_HOLD = text("SELECT id FROM notifications WHERE id = :id FOR UPDATE")
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
RESEND = {channel: RescuePolicy(max_attempts=3, on_unknown=OnUnknown.RESEND) for channel in Channel}


@asynccontextmanager
async def held(
    stores: Stores, statement: Executable, **parameters: object
) -> AsyncIterator[Coroutine[Any, Any, None]]:
    """Run a statement in a transaction; commit once somebody waits for it."""
    async with stores.database._writer.connect() as connection:  # noqa: SLF001
        await connection.execute(statement, parameters)

        async def commit() -> None:
            await somebody_waits(stores)
            await connection.commit()

        yield commit()


async def somebody_waits(stores: Stores) -> None:
    """Return once a statement waits for what another transaction holds."""
    while not await stores.database.read(lambda reader: reader.scalar(_WAITING)):
        pass


async def test_a_claim_that_waits_for_a_mark_finds_what_it_names(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        envelope = envelope_of(await stores.accept())
        mark = publications._MARK_PUBLISHED.statement  # noqa: SLF001
        rows = joined([envelope_row(envelope)])
        async with held(stores, mark, rows=rows, lost_after_s=600) as commit:
            claimed, _ = await asyncio.gather(stores.claim(envelope), commit)

    assert claimed is not None


async def test_a_claim_that_waits_for_a_claim_has_nothing_to_do(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        envelope = envelope_of(await stores.accept())
        first = ClaimRequest(envelope=envelope, lease_token=uuid4(), lease_s=60, leased_by="first")
        rows = joined([attempts._claim_row(first)])  # noqa: SLF001
        async with held(stores, attempts._CLAIM.statement, rows=rows) as commit:  # noqa: SLF001
            claimed, _ = await asyncio.gather(stores.claim(envelope), commit)

        assert claimed is None
        assert await stores.events(envelope.id) == ["accept", "claim"]


async def test_a_cancel_that_waits_for_a_claim_comes_too_late(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        envelope = envelope_of(await stores.accept())
        first = ClaimRequest(envelope=envelope, lease_token=uuid4(), lease_s=60, leased_by="first")
        rows = joined([attempts._claim_row(first)])  # noqa: SLF001
        async with held(stores, attempts._CLAIM.statement, rows=rows) as commit:  # noqa: SLF001
            cancel = stores.orders.move(CANCEL, envelope.id, service=None)
            moved, _ = await asyncio.gather(cancel, commit)

    assert moved == Refused(Status.PROCESSING)


async def test_a_rescue_passes_by_what_is_being_finished(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        claimed = await stores.claimed()
        await stores.pass_time(61)
        rows = joined([finish_row(an_end(claimed, SUCCEED))])
        finish = finishing._FINISH.statement  # noqa: SLF001
        async with held(stores, finish, rows=rows, misses="[]", grace_s=5) as commit:
            assert await stores.upkeep.rescue(10, RESEND) == 0
            late = stores.leases.finish(an_end(claimed, SUCCEED))
            await asyncio.gather(late, commit)

        assert await stores.events(claimed.id) == ["accept", "claim", "succeed"]


async def test_who_brings_one_does_not_wait_for_who_brings_a_thousand(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores:
        many = [a_submission() for _ in range(1_000)]
        rows = joined([submission_row(many[0], None)])
        async with stores.database._writer.connect() as other:  # noqa: SLF001
            await other.execute(inserting.INSERT.statement, {"rows": rows, "grace_s": 5})
            waiting = asyncio.create_task(stores.intake.insert(many))
            await somebody_waits(stores)
            await stores.accept()
            is_waiting = not waiting.done()
        await asyncio.gather(waiting, return_exceptions=True)

    assert is_waiting


Prepared: TypeAlias = Callable[[Stores], Awaitable[Submission | Claimed]]
Take: TypeAlias = Callable[[Stores], Awaitable[int | Sized]]
EMAIL = (Channel.EMAIL, Lane.NORMAL)
EMPTY = QueueDepth(
    name="email_notifications", channel=EMAIL[0], lane=EMAIL[1], ready=0, consumers=0
)


async def published(stores: Stores) -> Submission:
    submission = await stores.accept()
    await stores.publications.mark_published([envelope_of(submission)])
    return submission


async def short_lived(stores: Stores) -> Submission:
    return await stores.accept(a_submission(expires_at=SystemClock().now() + timedelta(seconds=60)))


async def failed(stores: Stores) -> Claimed:
    return await stores.ended(FAIL)


SHARES: Mapping[str, tuple[Prepared, Take]] = {
    "due": (Stores.accept, lambda each: each.upkeep.take_due(9, hold_s=60)),
    "lost": (published, lambda each: each.upkeep.take_lost(9, hold_s=60, empty=[EMAIL])),
    "missing": (published, lambda each: each.upkeep.unpublish_missing(9, queue=EMPTY)),
    "unpublished": (published, lambda each: each.upkeep.unpublish(9)),
    "unburied": (failed, lambda each: each.dead_letters.take_unburied(9, hold_s=60)),
    "abandoned": (Stores.claimed, lambda each: each.upkeep.rescue(9, RESEND)),
    "overdue": (short_lived, lambda each: each.upkeep.expire(9)),
    "replayed": (failed, lambda each: each.orders.replay_failed(channel=None, limit=9)),
}


@pytest.mark.parametrize("share", SHARES)
async def test_who_takes_a_share_of_the_work_waits_for_nobody_who_is_at_another(
    postgres_store_url: str, share: str
) -> None:
    prepare, take = SHARES[share]

    async def count(stores: Stores) -> int:
        taken = await take(stores)
        return taken if isinstance(taken, int) else len(taken)

    async with open_stores(postgres_store_url, HASTY) as stores:
        anothers: UUID = (await prepare(stores)).id
        await prepare(stores)
        await stores.pass_time(700)
        async with stores.database._writer.connect() as connection:  # noqa: SLF001
            await connection.execute(_HOLD, {"id": anothers})
            assert await count(stores) == 1
        assert await count(stores) == 1
