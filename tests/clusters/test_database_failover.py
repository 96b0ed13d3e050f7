"""A primary that ends or hangs, and a standby in its place: nothing is restarted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest

from notifier.errors import NotifierError
from notifier.store.upgrading import upgrade
from tests.contract.store.stores import open_stores
from tests.faults.brokers import (
    DEAD,
    SOON,
    Client,
    Ledger,
    accepted,
    apply_policies,
    open_node,
    until_ready,
)
from tests.patience import AT_ALL_S, USUAL
from tests.servers.postgres_pair import PostgresPair
from tests.servers.rabbitmq import RabbitMq
from tests.waiting import require

COUNT = 200
LOST = 12
ARRIVE_EVERY_S = 0.02


async def test_what_was_accepted_across_a_failover_is_handed_over_once(
    synchronous_pair: PostgresPair, amqp_url: str
) -> None:
    database = synchronous_pair.create_database()
    url = synchronous_pair.url(database)
    await upgrade(url)
    ledger = Ledger()
    async with (
        open_node(url, amqp_url, patience=USUAL) as node,
        open_node(url, amqp_url, patience=USUAL) as other,
        node.api() as client,
        other.workers(ledger),
        other.relaying(),
    ):
        load = [asyncio.create_task(accepted_at_last(client, nth)) for nth in range(COUNT)]
        await asyncio.sleep(COUNT * ARRIVE_EVERY_S / 2)
        await asyncio.to_thread(synchronous_pair.fail_over)
        ids = await asyncio.gather(*load)
        await other.await_statuses(sent=COUNT, timeout_s=AT_ALL_S)

    assert len(set(ids)) == COUNT
    assert ledger.handed_over == dict.fromkeys(ids, 1)


async def accepted_at_last(client: Client, nth: int) -> UUID:
    """Send one in its turn, again and again until it is accepted."""
    await asyncio.sleep(nth * ARRIVE_EVERY_S)
    async with asyncio.timeout(AT_ALL_S):
        while (answer := await client.post(f"key-{nth}")).status_code != 202:
            assert answer.status_code == 503
            await asyncio.sleep(0.1)
    return UUID(answer.json()["id"])


async def test_one_that_hangs_is_left_for_the_one_that_was_promoted(
    asynchronous_pair: PostgresPair,
) -> None:
    database = asynchronous_pair.create_database()
    url = asynchronous_pair.url(database)
    await upgrade(url)
    async with open_stores(url, USUAL) as stores:
        await asyncio.gather(*(stores.accept() for _ in range(20)))
        await asyncio.to_thread(asynchronous_pair.primary.freeze)
        with pytest.raises(NotifierError):
            await stores.accept()
        await asyncio.to_thread(asynchronous_pair.standby.promote)

        # It takes a few seconds to give up the connections that hang: never an answer of theirs.
        await require(lambda: works(stores.accept), timeout_s=AT_ALL_S, what="accepting again")
        after = [await works(stores.accept) for _ in range(20)]
        await upgrade(url)
        await asyncio.to_thread(asynchronous_pair.primary.thaw)

    assert all(after)


async def test_a_standby_that_lagged_loses_what_it_lacks_and_doubles_what_it_takes_for_unsent(
    asynchronous_pair: PostgresPair, rabbitmq: RabbitMq, amqp_url: str
) -> None:
    await apply_policies(rabbitmq, amqp_url)
    database = asynchronous_pair.create_database()
    url = asynchronous_pair.url(database)
    await upgrade(url)
    ledger = Ledger()
    soon_lost = replace(SOON, lost_after_s=1)
    async with open_node(url, amqp_url, store=soon_lost) as node, node.api() as client:
        known = accepted([await client.post()])
        await asyncio.to_thread(asynchronous_pair.primary.wait_for_standby)
        await asyncio.to_thread(asynchronous_pair.standby.stop_receiving)
        async with node.workers(ledger):
            await node.await_statuses(sent=1)
        lost = accepted(await client.post_many(LOST))
        await node.publisher.drain(AT_ALL_S)
        await asyncio.to_thread(asynchronous_pair.fail_over)
        async with node.workers(ledger), node.relaying():
            await node.await_statuses(sent=1, timeout_s=AT_ALL_S)
            await until_ready(amqp_url, LOST, DEAD)
        account = await node.stores.queries.account(service=None)
        found = [await node.stores.queries.get(id, service=None) for id in lost]

    assert found == [None] * LOST
    assert account.unknown_messages == LOST
    assert ledger.handed_over == dict.fromkeys(known, 2)


async def works(call: Callable[[], Awaitable[object]]) -> bool:
    try:
        await call()
    except NotifierError:
        return False
    return True
