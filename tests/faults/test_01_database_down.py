"""Row 1: the database is away at the insert."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from notifier.store.kit.database import ANSWER_TIMEOUT_S
from tests.contract.store.proxy import linked
from tests.faults.brokers import Client, Node, open_node, ready, until_async
from tests.patience import AT_ALL_S, USUAL
from tests.schema import postgres_database
from tests.servers.postgres import Postgres

POSTS = 200


@asynccontextmanager
async def serving(database_url: str, amqp_url: str) -> AsyncIterator[tuple[Node, Client]]:
    """Serve an API with a process's own patience, that has accepted and published one mail."""
    async with open_node(database_url, amqp_url, patience=USUAL) as node, node.api() as client:
        await until_async(lambda: accepts(client, key="first"))
        await node.publisher.drain(AT_ALL_S)
        client.times_s.clear()
        yield node, client


async def accepts(client: Client, *, key: str) -> bool:
    """Whether it accepts now; asked again with this key, it accepts nothing else."""
    return (await client.post(key)).status_code == 202


def assert_refused(answers: list[httpx2.Response]) -> None:
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)


async def test_while_the_database_is_down_posts_are_refused_and_nothing_is_published(
    postgres: Postgres, amqp_url: str
) -> None:
    with postgres_database(postgres) as url:
        async with serving(url, amqp_url) as (node, client):
            await asyncio.to_thread(postgres.kill)
            try:
                refused = await client.post_many(POSTS)
            finally:
                await asyncio.to_thread(postgres.start)

            assert_refused(refused)
            assert client.p99_s() < ANSWER_TIMEOUT_S
            assert await asyncio.to_thread(ready, amqp_url) == 1

            await until_async(lambda: accepts(client, key="again"))
            assert await node.statuses() == {"pending": 2}


async def test_while_the_database_is_silent_posts_are_refused_in_time_and_nothing_is_published(
    postgres: Postgres, amqp_url: str
) -> None:
    with postgres_database(postgres) as url:
        async with linked(url) as (linked_url, link), serving(linked_url, amqp_url) as (_, client):
            link.passes.clear()
            refused = await client.post_many(POSTS, at_once=POSTS)
            link.passes.set()

            assert_refused(refused)
            assert client.p99_s() < 2 * ANSWER_TIMEOUT_S
            assert await asyncio.to_thread(ready, amqp_url) == 1
