"""Row 5: a message is in its queue, and its confirmation was lost."""

import asyncio
from uuid import UUID

from tests.faults.brokers import (
    Client,
    Ledger,
    Node,
    accepted,
    open_node,
    ready,
    until_async,
    until_ready,
)
from tests.faults.network import LossyWay, lossy_way_to
from tests.patience import AT_ALL_S
from tests.schema import postgres_database
from tests.servers.postgres import Postgres

ROUNDS, POSTS = 5, 10
UNPUBLISHED = "published_at IS NULL"


async def test_what_was_published_twice_for_a_lost_confirmation_is_sent_once(
    postgres: Postgres, amqp_url: str
) -> None:
    ledger = Ledger()
    with postgres_database(postgres) as url:
        async with (
            lossy_way_to(amqp_url) as way,
            open_node(url, way.url) as node,
            open_node(url, amqp_url) as other,
            node.api() as client,
        ):
            way.loses_confirms = True
            ids = [id for _ in range(ROUNDS) for id in await unconfirmed(node, client, way)]
            assert await other.count(UNPUBLISHED) == len(ids)
            arrived = await asyncio.to_thread(ready, amqp_url)

            async with other.relaying():
                await until_async(lambda: all_published(other))
            published = await asyncio.to_thread(ready, amqp_url)
            async with other.workers(ledger):
                await until_ready(amqp_url, 0)
                await other.await_statuses(sent=len(ids))

    assert way.lost >= ROUNDS
    assert arrived >= ROUNDS
    # Where the broker is slow, confirmations are late for the relay, too.
    assert published >= arrived + len(ids)
    assert ledger.handed_over == dict.fromkeys(ids, 1)


async def unconfirmed(node: Node, client: Client, way: LossyWay) -> set[UUID]:
    """Accept mails until the confirmation of some is lost, and the link with it."""
    lost = way.lost
    ids = set(accepted(await client.post_many(POSTS)))
    await node.publisher.drain(AT_ALL_S)
    while way.lost == lost:
        # Nobody is connected yet after the cut before.
        ids |= accepted(await client.post_many(1))
        await node.publisher.drain(AT_ALL_S)
    return ids


async def all_published(node: Node) -> bool:
    return await node.count(UNPUBLISHED) == 0
