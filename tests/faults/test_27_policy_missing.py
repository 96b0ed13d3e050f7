"""Row 27: a policy of ours is missing, or another takes its place."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from notifier.notification.model import Message
from notifier.notification.outcomes import Outcome, Permanent
from notifier.queue.rabbitmq.policies import TopologyWatch
from tests.e2e.processes import WORKER_RUNNER, running
from tests.faults.brokers import (
    Ledger,
    accepted,
    apply_policies,
    open_node,
    until_async,
)
from tests.schema import postgres_database
from tests.servers.postgres import Postgres
from tests.servers.processes import free_port
from tests.servers.rabbitmq import RabbitMq, vhost_of

EVERY_S = 0.1
FAILURES = 20
RIVAL = {"pattern": ".*", "priority": 99, "definition": {"max-length": 5}, "apply-to": "all"}


@asynccontextmanager
async def watching(amqp_url: str, management_url: str) -> AsyncIterator[TopologyWatch]:
    watch = TopologyWatch(amqp_url, management_url, every_s=EVERY_S)
    running_it = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        running_it.cancel()
        await asyncio.wait({running_it})


async def until_ok(watch: TopologyWatch, *, is_ok: bool) -> None:
    async def is_so() -> bool:
        return watch.is_ok is is_ok

    await until_async(is_so)


@pytest.mark.parametrize("how", ["removed", "overridden"])
async def test_a_policy_that_is_no_longer_in_effect_is_noticed_and_so_is_its_return(
    rabbitmq: RabbitMq, amqp_url: str, how: str
) -> None:
    vhost, call = vhost_of(amqp_url), rabbitmq.management.call
    await apply_policies(rabbitmq, amqp_url)
    with capture_logs() as logs:
        async with watching(amqp_url, rabbitmq.management_url) as watch:
            await until_ok(watch, is_ok=True)
            assert logs == []
            if how == "removed":
                await asyncio.to_thread(call, "DELETE", "policies", vhost, "notifier-work")
            else:
                await asyncio.to_thread(call, "PUT", "policies", vhost, "mine", body=RIVAL)
            await until_ok(watch, is_ok=False)
            lacking = list(logs)
            if how == "removed":
                await apply_policies(rabbitmq, amqp_url)
            else:
                await asyncio.to_thread(call, "DELETE", "policies", vhost, "mine")
            await until_ok(watch, is_ok=True)

    assert "notifier-work on email_notifications" in _named(lacking, "topology.policy_lacking")
    assert logs[-1]["event"] == "topology.policies_in_effect"


def _named(logs: Sequence[EventDict], event: str) -> list[str]:
    return [log["policy"] for log in logs if log["event"] == event]


async def test_a_management_that_is_away_is_told_once_and_is_no_lack(amqp_url: str) -> None:
    watch = TopologyWatch(amqp_url, f"http://127.0.0.1:{free_port()}")
    with capture_logs() as logs:
        await watch.look()
        await watch.look()

    assert watch.is_ok is None
    assert [log["event"] for log in logs] == ["topology.policies_not_seen"]


def test_the_worker_runner_watches(postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str) -> None:
    with postgres_database(postgres) as url:
        environ = {
            "NOTIFIER_DATABASE_URL": url.replace("+asyncpg", ""),
            "NOTIFIER_BROKER_URL": amqp_url,
            "NOTIFIER_BROKER_MANAGEMENT_URL": rabbitmq.management_url,
            "NOTIFIER_KEY_PEPPER": "a pepper for the length of a test",
            "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
            "NOTIFIER_SMS__PROVIDERS": "none",
            "NOTIFIER_WORKER__PROCESSES": "1",
        }
        with running(WORKER_RUNNER, environ) as runner:
            runner.line("topology.policy_lacking")
            runner.line("worker.started")
            assert runner.stop() == 0


class Refusing(Ledger):
    """A provider that refuses everything for good."""

    async def send(self, message: Message) -> Outcome:
        await super().send(message)
        return Permanent("550", "no such mailbox")


async def test_without_policies_failures_are_recorded_and_buried_all_the_same(
    postgres: Postgres, amqp_url: str
) -> None:
    with postgres_database(postgres) as url:
        async with (
            open_node(url, amqp_url) as node,
            node.api() as client,
            node.workers(Refusing()),
            node.relaying(),
        ):
            accepted(await client.post_many(FAILURES))
            await node.await_statuses(failed=FAILURES)

            async def all_buried() -> bool:
                return await node.count("dead_letter") == FAILURES

            await until_async(all_buried)
