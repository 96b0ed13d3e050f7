"""Row 26: an operator purges or deletes a queue."""

import asyncio
import time

import pytest

from notifier.store.notification.settings import StoreSettings
from tests.faults.brokers import (
    SLOTS,
    WORK,
    Ledger,
    accepted,
    open_node,
    ready,
    until_async,
    until_ready,
)
from tests.patience import AT_ALL_S
from tests.schema import postgres_database
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq, vhost_of

POSTS = 120
PATIENCE_S = 100
"""What the test itself may take."""
SETTINGS = StoreSettings(grace_s=0.3, missing_after_s=1, lost_after_s=300)
RECOVERY_S = SETTINGS.lost_after_s / 2
"""Only what is found missing is back by then: what is published counts as lost later."""


@pytest.mark.parametrize("how", ["purged", "deleted"])
async def test_what_a_queue_lost_is_sent_within_seconds_and_once(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str, how: str
) -> None:
    ledger = Ledger(takes_s=0.3)
    path = ("queues", vhost_of(amqp_url), WORK, *(["contents"] if how == "purged" else []))
    with postgres_database(postgres) as url:
        async with (
            open_node(url, amqp_url, store=SETTINGS) as node,
            node.api() as client,
            node.workers(ledger),
            node.relaying(),
        ):
            ids = accepted(await client.post_many(POSTS))
            await node.publisher.drain(AT_ALL_S)
            await until_async(lambda: has_begun(ledger))
            await asyncio.to_thread(rabbitmq.management.call, "DELETE", *path)
            lost_s = time.monotonic()
            left = POSTS - ledger.handed_over.total()
            await node.await_statuses(sent=POSTS)
            recovered_s = time.monotonic() - lost_s

    assert left > 2 * SLOTS
    assert ledger.handed_over == dict.fromkeys(ids, 1)
    assert recovered_s < RECOVERY_S


async def has_begun(ledger: Ledger) -> bool:
    return ledger.handed_over.total() >= SLOTS


async def test_what_consumers_hold_for_a_while_is_not_published_again(
    postgres: Postgres, amqp_url: str
) -> None:
    """As those do that wait for a slot of another lane, or for a provider that is paused."""
    ledger = Ledger()
    with postgres_database(postgres) as url:
        async with open_node(url, amqp_url, store=SETTINGS) as node, node.api() as client:
            await node.stores.providers.pause(ledger.provider, reason="a test")
            async with node.workers(ledger):
                accepted(await client.post_many(SLOTS))
                await node.publisher.drain(AT_ALL_S)
                await until_ready(amqp_url, 0)
                await node.stores.pass_time(SETTINGS.lost_after_s - PATIENCE_S)
                for _ in range(3):
                    await node.duties().publish_lost()

            assert await node.count("published_at IS NULL") == 0
            await until_ready(amqp_url, SLOTS)


async def test_a_backlog_is_not_published_again_for_its_age(
    postgres: Postgres, amqp_url: str
) -> None:
    with postgres_database(postgres) as url:
        async with open_node(url, amqp_url, store=SETTINGS) as node, node.api() as client:
            for count in (10, POSTS):
                accepted(await client.post_many(count))
                await node.publisher.drain(AT_ALL_S)
                await node.stores.pass_time(SETTINGS.lost_after_s)
                await node.duties().publish_lost()
                assert await node.count("published_at IS NULL") == 0

            assert await asyncio.to_thread(ready, amqp_url) == POSTS + 10
