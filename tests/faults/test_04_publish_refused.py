"""Row 4: the broker refuses a message, returns it, or does not answer."""

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from notifier.queue.topology import WORK_EXCHANGE
from tests.faults.brokers import (
    BRISK,
    WORK,
    Ledger,
    Node,
    accepted,
    apply_policies,
    open_node,
    ready,
)
from tests.gateway import gateway_to
from tests.patience import AT_ALL_S, BROKER_IS_THERE
from tests.schema import postgres_database
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tests.witness import witness_of

POSTS = 40
MAX_LENGTH = 10


async def assert_all_are_sent(node: Node) -> None:
    """Each of them once, now that nothing keeps them any more."""
    ledger = Ledger()
    async with node.workers(ledger), node.relaying():
        await node.await_statuses(sent=POSTS)
    assert (len(ledger.handed_over), ledger.handed_over.total()) == (POSTS, POSTS)


async def test_what_a_full_queue_refuses_stays_pending_and_is_sent_later(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str
) -> None:
    full = {
        "pattern": f"^{WORK}$",
        "priority": 99,
        "apply-to": "queues",
        "definition": {"max-length": MAX_LENGTH, "overflow": "reject-publish"},
    }
    path = ("policies", vhost_of(amqp_url), "full")
    await apply_policies(rabbitmq, amqp_url)
    await asyncio.to_thread(rabbitmq.management.call, "PUT", *path, body=full)
    with postgres_database(postgres) as url:
        async with open_node(url, amqp_url) as node, node.api() as client:
            with capture_logs() as logs:
                answers = []
                for _ in range(POSTS):
                    answers.append(await client.post())
                    # One after the other: a queue is late to notice that it is full.
                    await node.publisher.drain(AT_ALL_S)
            held = await asyncio.to_thread(ready, amqp_url)
            before = await node.statuses()
            await asyncio.to_thread(rabbitmq.management.call, "DELETE", *path)
            await assert_all_are_sent(node)

    assert len(accepted(answers)) == POSTS
    assert MAX_LENGTH <= held <= MAX_LENGTH + 1
    assert before == {"pending": POSTS}
    refused = [log["count"] for log in logs if log["event"] == "publish.failed"]
    assert sum(refused) == POSTS - held


@pytest.mark.parametrize("missing", [WORK, WORK_EXCHANGE])
async def test_what_has_nowhere_to_go_stays_pending_and_is_sent_later(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str, missing: str
) -> None:
    await apply_policies(rabbitmq, amqp_url)
    with witness_of(amqp_url) as witness:
        (witness.delete if missing == WORK else witness.delete_exchange)(missing)
    with postgres_database(postgres) as url:
        async with (
            open_node(url, amqp_url, rabbit=replace(BROKER_IS_THERE, declare=False)) as node,
            node.api() as client,
        ):
            answers = await client.post_many(POSTS)
            await node.publisher.drain(AT_ALL_S)
            before = await node.statuses()
            await apply_policies(rabbitmq, amqp_url)
            await assert_all_are_sent(node)

    assert len(accepted(answers)) == POSTS
    assert before == {"pending": POSTS}


@pytest.mark.parametrize("how", ["hangs", "is cut"])
async def test_what_a_broken_connection_keeps_stays_pending_and_is_sent_later(
    postgres: Postgres, amqp_url: str, how: str
) -> None:
    with postgres_database(postgres) as url:
        async with (
            gateway_to(amqp_url) as gateway,
            open_node(url, gateway.url, rabbit=BRISK) as node,
            node.api() as client,
        ):
            if how == "hangs":
                gateway.freeze()
            else:
                await gateway.close()
            answers = await client.post_many(POSTS)
            await node.publisher.drain(AT_ALL_S)
            before = await node.statuses()
            held = await asyncio.to_thread(ready, amqp_url)
            if how == "hangs":
                gateway.thaw()
            else:
                await gateway.open()
            await assert_all_are_sent(node)

    assert len(accepted(answers)) == POSTS
    assert client.p99_s() < 2
    assert before == {"pending": POSTS}
    assert held == 0
