"""Row 6: the broker is killed, as with kill -9, and started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from tests.faults.brokers import (
    BRISK,
    SLOTS,
    Client,
    Ledger,
    accepted,
    apply_policies,
    open_node,
    until_async,
)
from tests.schema import postgres_database
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq

BEFORE = 40
LONGEST_POST_S = 5
"""Far less than a restart takes."""


@asynccontextmanager
async def load(client: Client) -> AsyncIterator[list[UUID]]:
    """Post one mail after another; each must be accepted."""
    ids: list[UUID] = []

    async def post() -> None:
        while True:
            ids.extend(accepted(await client.post_many(4)))
            await asyncio.sleep(0.1)  # a rate that the workers can follow

    posting = asyncio.create_task(post())
    try:
        yield ids
        assert not posting.done()
    finally:
        posting.cancel()
        await asyncio.wait({posting})


async def test_posts_are_answered_while_the_broker_is_killed_and_workers_resume_by_themselves(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str
) -> None:
    ledger = Ledger(takes_s=0.01)
    await apply_policies(rabbitmq, amqp_url)
    with postgres_database(postgres) as url:
        async with (
            open_node(url, amqp_url, rabbit=BRISK) as front,
            open_node(url, amqp_url, rabbit=BRISK) as back,
            front.api() as client,
            back.workers(ledger),
            back.relaying(),
        ):
            async with load(client) as ids:
                await until_async(lambda: reached(ledger, BEFORE))
                await asyncio.to_thread(rabbitmq.kill)
                try:
                    before, enough = ledger.handed_over.total(), len(ids) + BEFORE
                    await until_async(lambda: has_grown(ids, enough))
                finally:
                    await asyncio.to_thread(rabbitmq.start)
                started_s = client.awake.monotonic_s()
                await until_async(lambda: reached(ledger, before + SLOTS + 1))
                resumed_s = client.awake.monotonic_s() - started_s
            await back.await_statuses(sent=await back.count("true"))
            unknown = (await back.stores.queries.backlog()).outcome_unknown

    assert set(ids) <= set(ledger.handed_over)
    assert set(ledger.handed_over.values()) == {1}
    assert unknown == 0
    assert max(client.times_s) < LONGEST_POST_S
    assert resumed_s < 30


async def reached(ledger: Ledger, count: int) -> bool:
    return ledger.handed_over.total() >= count


async def has_grown(ids: list[UUID], count: int) -> bool:
    return len(ids) >= count
