"""Row 29: many consumers are lost at once, and a message that waits passes through all of them.

A queue hears of lost consumers one by one. What one of them held is handed to the next, which is
lost as well, until the broker's limit of deliveries dead-letters what no worker ever began with.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.queue.topology import DELIVERY_LIMIT
from tests.clock import SystemClock
from tests.faults.brokers import (
    WORK,
    Ledger,
    accepted,
    apply_policies,
    open_node,
    until_async,
)
from tests.patience import AT_ALL_S
from tests.schema import postgres_database
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq
from tests.witness import witness_of

GIVEN_UP = 2
"""Once may be followed by an attempt; twice in a row used to end it."""
MOST_RESTARTS = 8
ENOUGH = DELIVERY_LIMIT + 5
CROWD = ENOUGH + MOST_RESTARTS
"""Whoever had the message when it was lost waits on with it, and takes no other meanwhile."""


class Waiting:
    """A handler whose turn does not come, as at a paused provider; tells of what it is given."""

    def __init__(self) -> None:
        self._given: asyncio.Queue[Envelope] = asyncio.Queue()

    async def __call__(self, envelope: Envelope) -> Settlement:
        self._given.put_nowait(envelope)
        return await asyncio.Future[Settlement]()

    async def next(self) -> Envelope:
        """Wait until a consumer that lives is given a message."""
        async with asyncio.timeout(AT_ALL_S):
            return await self._given.get()


async def test_what_waits_for_its_turn_outlives_restarts_of_the_broker_and_is_sent(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str
) -> None:
    waiting, ledger = Waiting(), Ledger()
    await apply_policies(rabbitmq, amqp_url)
    with postgres_database(postgres) as url:
        async with open_node(url, amqp_url) as node, node.api() as client, node.relaying():
            async with crowd(amqp_url, waiting):
                [id] = accepted([await client.post()])
                held, restarts = await waiting.next(), 0
                # How many of the crowd it passes through at a restart is the broker's affair.
                while held.attempt < GIVEN_UP and restarts < MOST_RESTARTS:
                    await until_async(lambda: has_enough(amqp_url))
                    await asyncio.to_thread(rabbitmq.kill)
                    await asyncio.to_thread(rabbitmq.start)
                    held, restarts = await waiting.next(), restarts + 1
            events = await node.stores.events(id)
            async with node.workers(ledger):
                await node.await_statuses(sent=1)

    assert held.attempt >= GIVEN_UP, f"not given up twice in {restarts} restarts"
    assert (events[0], {*events[1:]}) == ("accept", {"recall"})
    assert ledger.handed_over == {id: 1}


@asynccontextmanager
async def crowd(amqp_url: str, waiting: Waiting) -> AsyncIterator[None]:
    """Consume with so many consumers, each with a connection of its own."""
    settings = RabbitSettings(connection_name="notifier-test")
    async with AsyncExitStack() as stack:
        for _ in range(CROWD):
            opening = open_rabbit_queue(amqp_url, settings, SystemClock())
            queue = await stack.enter_async_context(opening)
            await queue.subscribe(Channel.EMAIL, Lane.NORMAL, waiting, consumers=1)
        yield


async def has_enough(amqp_url: str) -> bool:
    """Whether so many consume that losing them all is beyond the limit."""

    def count() -> int:
        with witness_of(amqp_url) as witness:
            return witness.consumers(WORK)

    return await asyncio.to_thread(count) >= ENOUGH
