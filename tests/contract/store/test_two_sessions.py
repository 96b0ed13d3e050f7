"""Statements that meet on one row: the second waits for the first, and sees what that did."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy import Executable, text

from notifier.notification import CANCEL, SUCCEED, Channel, OnUnknown, Status
from notifier.ports import Refused, RescuePolicy
from notifier.store import attempts
from notifier.store.attempts import ClaimRequest
from notifier.store.rows import envelope_row, finish_row, joined
from tests.contract.store.stores import Stores, an_end, envelope_of, open_stores

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
            while not await stores.database.read(lambda reader: reader.scalar(_WAITING)):
                pass
            await connection.commit()

        yield commit()


async def test_a_claim_that_waits_for_a_mark_finds_what_it_names(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        envelope = envelope_of(await stores.accept())
        mark = attempts._MARK_PUBLISHED  # noqa: SLF001
        rows = joined([envelope_row(envelope)])
        async with held(stores, mark, rows=rows, lost_after_s=600) as commit:
            claimed, _ = await asyncio.gather(stores.claim(envelope), commit)

    assert claimed is not None


async def test_a_claim_that_waits_for_a_claim_has_nothing_to_do(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        envelope = envelope_of(await stores.accept())
        first = ClaimRequest(envelope=envelope, lease_token=uuid4(), lease_s=60, leased_by="first")
        rows = joined([attempts._claim_row(first)])  # noqa: SLF001
        async with held(stores, attempts._CLAIM.both, rows=rows) as commit:  # noqa: SLF001
            claimed, _ = await asyncio.gather(stores.claim(envelope), commit)

        assert claimed is None
        assert await stores.events(envelope.id) == ["accept", "claim"]


async def test_a_cancel_that_waits_for_a_claim_comes_too_late(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        envelope = envelope_of(await stores.accept())
        first = ClaimRequest(envelope=envelope, lease_token=uuid4(), lease_s=60, leased_by="first")
        rows = joined([attempts._claim_row(first)])  # noqa: SLF001
        async with held(stores, attempts._CLAIM.both, rows=rows) as commit:  # noqa: SLF001
            cancel = stores.deliveries.move(CANCEL, envelope.id, service=None)
            moved, _ = await asyncio.gather(cancel, commit)

    assert moved == Refused(Status.PROCESSING)


async def test_a_rescue_passes_by_what_is_being_finished(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        claimed = await stores.claimed()
        await stores.pass_time(61)
        rows = joined([finish_row(an_end(claimed, SUCCEED))])
        finish = attempts._FINISH.both  # noqa: SLF001
        async with held(stores, finish, rows=rows, misses="[]", grace_s=5) as commit:
            assert await stores.deliveries.rescue(10, RESEND) == 0
            late = stores.deliveries.finish(an_end(claimed, SUCCEED))
            await asyncio.gather(late, commit)

        assert await stores.events(claimed.id) == ["accept", "claim", "succeed"]
