"""Row 2: the API does not learn whether its commit took place."""

import asyncio
from uuid import UUID

import asyncpg

from tests.contract.store.proxy import linked
from tests.faults.brokers import Client, Ledger, open_node
from tests.schema import postgres_database
from tests.servers.postgres import Postgres

KEYS = 150
KILLS = 8


async def test_clients_that_repeat_until_they_are_answered_get_one_notification_a_key(
    postgres: Postgres, amqp_url: str
) -> None:
    """Answers to commits are lost at first, then sessions are killed all the time."""
    ledger = Ledger()
    refusals: list[int] = []
    with postgres_database(postgres) as url:
        async with (
            linked(url) as (linked_url, link),
            open_node(linked_url, amqp_url) as node,
            open_node(url, amqp_url) as other,
            node.api() as client,
        ):
            link.loses_commits = True
            first = await asyncio.gather(*(client.post(f"key-{n}") for n in range(KEYS)))
            link.loses_commits = False
            refusals += [answer.status_code for answer in first]
            committed = (await other.statuses()).get("pending", 0)

            killing = asyncio.create_task(kill_sessions(postgres, url))
            async with other.workers(ledger), other.relaying():
                ids = await asyncio.gather(
                    *(until_accepted(client, f"key-{n}", refusals) for n in range(KEYS))
                )
                await killing
                await other.await_statuses(sent=KEYS)

        assert committed > 0
        assert set(refusals) == {503}
        assert ledger.handed_over == dict.fromkeys(ids, 1)
        assert len(set(ids)) == KEYS


async def until_accepted(client: Client, key: str, refusals: list[int]) -> UUID:
    while True:
        answer = await client.post(key)
        if answer.status_code == 202:
            return UUID(answer.json()["id"])
        refusals.append(answer.status_code)
        await asyncio.sleep(0.05)  # what Retry-After asks for, scaled down


async def kill_sessions(postgres: Postgres, url: str) -> None:
    admin = await asyncpg.connect(postgres.admin_url)
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = $1 AND state <> 'idle'"
    )
    try:
        for _ in range(KILLS):
            await admin.execute(kill, url.rpartition("/")[2])
            await asyncio.sleep(0.05)  # let them begin again
    finally:
        await admin.close()
