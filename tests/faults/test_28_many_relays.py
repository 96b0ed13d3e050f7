"""Row 28: many relays at once, a long transaction, and a backlog that nobody consumes."""

import asyncio

from sqlalchemy import text

from notifier.delivery.duties import RelayPace
from tests.faults.brokers import Node, open_node, ready
from tests.schema import postgres_database
from tests.servers.postgres import Postgres

ROWS = 500
RELAYS = 10
SMALL = RelayPace(batch=20)


async def until_no_more(relay_of: Node, settings: RelayPace = SMALL) -> None:
    duties = relay_of.duties(settings)
    while await duties.publish_due():
        pass


async def test_ten_relays_publish_each_of_many_rows_once(postgres: Postgres, amqp_url: str) -> None:
    with postgres_database(postgres) as url:
        async with (
            open_node(url, amqp_url) as node,
            open_node(url, amqp_url) as other,
        ):
            await node.stores.accept_many(ROWS)
            await node.stores.pass_time(10)
            await asyncio.gather(
                *(until_no_more(each) for _ in range(RELAYS // 2) for each in (node, other))
            )

            assert await node.count("published_at IS NULL") == 0
            assert await asyncio.to_thread(ready, amqp_url) == ROWS


async def test_rows_that_a_long_transaction_holds_keep_no_others_waiting(
    postgres: Postgres, amqp_url: str
) -> None:
    with postgres_database(postgres) as url:
        async with open_node(url, amqp_url) as node:
            await node.stores.accept_many(100)
            await node.stores.pass_time(10)
            writer = node.stores.database._writer  # noqa: SLF001
            async with writer.begin() as holder:
                held = "SELECT id FROM notifications ORDER BY relay_at, id LIMIT 10 FOR UPDATE"
                await holder.execute(text(held))
                await until_no_more(node)
                assert await asyncio.to_thread(ready, amqp_url) == 90
            await until_no_more(node)

            assert await asyncio.to_thread(ready, amqp_url) == 100


async def test_a_backlog_that_nobody_consumes_is_not_published_again(
    postgres: Postgres, amqp_url: str
) -> None:
    with postgres_database(postgres) as url:
        async with open_node(url, amqp_url) as node:
            await node.stores.accept_many(ROWS)
            await node.stores.pass_time(10)
            await until_no_more(node)
            for _ in range(6):
                await node.stores.pass_time(301)
                await asyncio.gather(*(node.duties().publish_lost() for _ in range(RELAYS)))
                await until_no_more(node)

            assert await asyncio.to_thread(ready, amqp_url) == ROWS
