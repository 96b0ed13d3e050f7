"""Row 7: an alarm of the broker, which takes no messages then (memory; the disk's is alike)."""

import asyncio

from tests.faults.brokers import Ledger, accepted, open_node, ready
from tests.patience import AT_ALL_S, BROKER_IS_THERE
from tests.schema import postgres_database
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq

QUEUED, POSTS = 100, 200


async def test_in_an_alarm_posts_are_answered_workers_go_on_and_the_rest_is_sent_after_it(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str
) -> None:
    ledger = Ledger()
    with postgres_database(postgres) as url:
        async with (
            open_node(url, amqp_url) as front,
            open_node(url, amqp_url) as back,
            front.api() as client,
        ):
            queued = accepted(await client.post_many(QUEUED))
            await front.publisher.drain(AT_ALL_S)
            assert await asyncio.to_thread(ready, amqp_url) == QUEUED
            await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0")
            try:
                client.times_s.clear()
                posted = accepted(await client.post_many(POSTS))
                async with back.workers(ledger), back.relaying():
                    await back.await_statuses(sent=QUEUED, pending=POSTS)
                    during = set(ledger.handed_over)
                    await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0.6")
                    await back.await_statuses(sent=QUEUED + POSTS)
            finally:
                await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0.6")

    assert during == queued
    assert ledger.handed_over == dict.fromkeys(queued | posted, 1)
    assert client.p99_s() < BROKER_IS_THERE.publish_timeout_s
