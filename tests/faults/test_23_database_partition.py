"""Row 23: a worker and the database no longer reach each other; the broker is there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from notifier.store.kit.database import ANSWER_TIMEOUT_S
from tests.contract.store.proxy import linked
from tests.faults.brokers import (
    DEAD,
    SLOTS,
    Ledger,
    accepted,
    open_node,
    ready,
    until_async,
)
from tests.faults.runner import CONSUMERS, PROCESSES, host
from tests.gateway import Gateway, gateway_to
from tests.patience import AT_ALL_S, USUAL
from tests.schema import postgres_database
from tests.servers.background import in_background
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.rabbitmq import RabbitMq

POSTS = 60
HELD = PROCESSES * CONSUMERS * 3


async def test_a_worker_without_its_database_keeps_its_messages_and_records_what_it_sent(
    postgres: Postgres, amqp_url: str
) -> None:
    ledger = Ledger()
    ledger.open.clear()
    with postgres_database(postgres) as url:
        async with (
            linked(url) as (linked_url, link),
            open_node(linked_url, amqp_url, patience=USUAL) as node,
            open_node(url, amqp_url) as other,
            other.api() as client,
        ):
            ids = accepted(await client.post_many(POSTS))
            # What the API has not published in time the relay would publish as well.
            await other.publisher.drain(AT_ALL_S)
            async with node.workers(ledger), other.relaying():

                async def is_busy() -> bool:
                    return ledger.under_way == SLOTS

                await until_async(is_busy)
                link.passes.clear()
                ledger.open.set()
                # Longer than a statement may take, so that it is tried several times.
                await asyncio.sleep(ANSWER_TIMEOUT_S + 1)
                waiting = await asyncio.to_thread(ready, amqp_url)
                during = await other.statuses()
                link.passes.set()
                await other.await_statuses(sent=POSTS)
            account = await other.stores.queries.account(service=None)

    assert waiting == POSTS - SLOTS
    assert during == {"processing": SLOTS, "pending": POSTS - SLOTS}
    assert ledger.handed_over == dict.fromkeys(ids, 1)
    assert (account.late_completions, account.outcome_unknown) == (0, 0)
    assert await asyncio.to_thread(ready, amqp_url, DEAD) == 0


async def test_a_worker_that_cannot_claim_neither_spins_nor_gives_its_messages_back(
    postgres: Postgres, amqp_url: str
) -> None:
    ledger = Ledger()
    with postgres_database(postgres) as url:
        async with (
            linked(url) as (linked_url, link),
            open_node(linked_url, amqp_url, patience=USUAL) as node,
            open_node(url, amqp_url) as other,
            other.api() as client,
        ):
            ids = accepted(await client.post_many(POSTS))
            await other.publisher.drain(AT_ALL_S)
            link.passes.clear()
            async with node.workers(ledger):

                async def all_taken() -> bool:
                    return await asyncio.to_thread(ready, amqp_url) == POSTS - SLOTS

                await until_async(all_taken)
                # Longer than a statement may take.
                await asyncio.sleep(ANSWER_TIMEOUT_S + 0.5)
                assert await all_taken()
                assert not ledger.handed_over
                link.passes.set()
                await other.await_statuses(sent=POSTS)

    assert ledger.handed_over == dict.fromkeys(ids, 1)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to the database, for a test in another thread."""

    gateway: Gateway
    loop: asyncio.AbstractEventLoop

    def freeze(self) -> None:
        self.loop.call_soon_threadsafe(self.gateway.freeze)

    def thaw(self) -> None:
        self.loop.call_soon_threadsafe(self.gateway.thaw)


@asynccontextmanager
async def opened_way(url: str) -> AsyncIterator[Way]:
    async with gateway_to(url) as gateway:
        yield Way(gateway, asyncio.get_running_loop())


def test_a_runner_that_alone_lost_its_database_leaves_its_messages_to_another(
    postgres: Postgres, rabbitmq: RabbitMq
) -> None:
    with (
        host(postgres, rabbitmq) as here,
        in_background(partial(opened_way, here.outside.settings()["NOTIFIER_DATABASE_URL"])) as way,
        here.runner(NOTIFIER_DATABASE_URL=way.gateway.url) as cut_off,
    ):
        way.freeze()
        ids = here.send(2 * HELD)
        here.await_ready(HELD)
        with here.runner() as healthy:
            # Ten seconds of patience, and what a busy machine needs to notice and to send.
            here.await_sent(2 * HELD)
            assert healthy.output.count('"delivery.finished"') == 2 * HELD
        let_go = cut_off.output.count('"worker.let_go"')

        way.thaw()
        wait_until(
            lambda: cut_off.output.count('"worker.resumed"') == PROCESSES,
            timeout_s=AT_ALL_S,
            what="workers that resume",
        )
        ids += here.send(HELD)
        here.await_sent(3 * HELD)

    assert let_go == PROCESSES
    assert Counter(here.outside.mailed()) == Counter(map(str, ids))
