"""Several processes over one PostgreSQL, as several pools of connections."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from notifier.delivery.ports import RescuePolicy
from notifier.idempotency import Idempotency
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, OnUnknown
from notifier.notification.transitions import SUCCEED
from notifier.store.inbox import arrivals
from notifier.store.kit import idempotency
from notifier.store.kit.address import parse_address
from notifier.store.kit.postgres import create_postgres_engine
from notifier.store.notification import attempts
from notifier.store.recipients.inboxes import meant
from tests.contract.store.stores import (
    Stores,
    a_message,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)


async def processes(stack: AsyncExitStack, url: str, count: int) -> list[Stores]:
    return [await stack.enter_async_context(open_stores(url)) for _ in range(count)]


async def test_eight_workers_claim_the_same_envelopes_once_each(store_url: str) -> None:
    async with AsyncExitStack() as stack:
        workers = await processes(stack, store_url, 8)
        envelopes = [envelope_of(each) for each in await workers[0].accept_many(200)]

        async def work(worker: Stores, order: list[Envelope]) -> list[UUID]:
            publishing = [worker.publications.mark_published([each]) for each in order]
            claims = [worker.claim(each) for each in order]
            results = await asyncio.gather(*claims, *publishing)
            claimed = [result for result in results if result]
            ends = [worker.leases.finish(an_end(each, SUCCEED)) for each in claimed]
            assert all(await asyncio.gather(*ends))
            return [each.id for each in claimed]

        orders = [envelopes, envelopes[::-1]] * 4
        claimed = await asyncio.gather(*map(work, workers, orders))

        counts = Counter(each for ids in claimed for each in ids)
        assert set(counts.values()) == {1}
        assert len(counts) == 200
        account = await workers[0].queries.account(service=None)
        assert account.is_balanced
        assert account.late_completions == 0


async def test_ten_relays_take_each_due_notification_once(store_url: str) -> None:
    async with AsyncExitStack() as stack:
        relays = await processes(stack, store_url, 10)
        accepted = await relays[0].accept_many(1_000)
        await relays[0].pass_time(6)

        async def relay(stores: Stores) -> list[UUID]:
            taken: list[UUID] = []
            while batch := await stores.upkeep.take_due(50, hold_s=60):
                taken += [envelope.id for envelope in batch]
            return taken

        taken = await asyncio.gather(*map(relay, relays))

        counts = Counter(each for ids in taken for each in ids)
        assert set(counts.values()) == {1}
        assert counts.keys() == {each.id for each in accepted}


async def test_rescuers_and_late_workers_agree_on_one_end(store_url: str) -> None:
    policies = {Channel.EMAIL: RescuePolicy(max_attempts=9, on_unknown=OnUnknown.RESEND)}
    async with AsyncExitStack() as stack:
        worker, *relays = await processes(stack, store_url, 4)
        envelopes = [envelope_of(each) for each in await worker.accept_many(100)]
        claimed = [each for each in await asyncio.gather(*map(worker.claim, envelopes)) if each]
        await worker.pass_time(61)

        finishes = [worker.leases.finish(an_end(each, SUCCEED)) for each in claimed]
        rescues = [relay.upkeep.rescue(30, policies) for relay in relays * 4]
        results = await asyncio.gather(*finishes, *rescues)

        finished, rescued = sum(results[:100]), sum(results[100:])
        assert finished + rescued == 100
        account = await worker.queries.account(service=None)
        assert account.is_balanced
        assert account.late_completions == account.outcome_unknown == rescued


# As with a table that has grown: rows are found one after the other, in the order of the request.
_GROWN = [
    text(f"SET LOCAL enable_{way} = off")
    for way in ("hashjoin", "mergejoin", "seqscan", "bitmapscan")
]


@asynccontextmanager
async def patient(url: str) -> AsyncIterator[AsyncEngine]:
    """Connections without our time limits: a slow machine fails nothing, a deadlock does."""
    engine = create_postgres_engine(parse_address(url), pool_size=8)
    try:
        yield engine
    finally:
        await engine.dispose()


async def test_batches_that_overlap_in_any_order_never_wait_for_one_another(
    postgres_store_url: str,
) -> None:
    together = asyncio.Barrier(8)

    async def claim(engine: AsyncEngine, envelopes: list[Envelope]) -> int:
        requests = [
            attempts.ClaimRequest(
                envelope=each, lease_token=uuid4(), lease_s=60, leased_by="worker-1"
            )
            for each in envelopes
        ]
        async with engine.begin() as connection:
            for setting in _GROWN:
                await connection.execute(setting)
            await together.wait()
            claimed, _missed = await attempts.claim_pending(connection, requests)
            return len(claimed)

    async def keep(engine: AsyncEngine, names: list[str]) -> int:
        wanted = [
            Idempotency(service="orders", key=name, fingerprint="f", answer="a") for name in names
        ]
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await together.wait()
            return len(names) - len(await idempotency.keep(connection, wanted))

    async with open_stores(postgres_store_url) as stores, patient(postgres_store_url) as engine:
        envelopes = [envelope_of(each) for each in await stores.accept_many(100)]
        names = [str(number) for number in range(2_000)]

        claims = [claim(engine, envelopes[::way]) for way in (1, -1) * 4]
        assert sum(await asyncio.gather(*claims)) == 100
        keeps = [keep(engine, names[::way]) for way in (1, -1) * 4]
        assert sum(await asyncio.gather(*keeps)) == len(names)


async def test_deliveries_to_one_inbox_queue_up_for_its_numbers(store_url: str) -> None:
    messages = [a_message(a_submission()) for _ in range(20)]

    async with open_stores(store_url) as stores:
        deliver = [
            partial(arrivals.add_all, messages=[each], lock=arrivals.LOCK, meant=meant)
            for each in messages
        ]
        await asyncio.gather(*map(stores.database.write, deliver * 2))

        items = await stores.inbox.since("orders", "ada@example.org", 0, limit=99)

    assert [item.seq for item in items] == list(range(1, 21))
