"""A connection to the broker that nobody holds any more."""

import asyncio
import gc
import logging
import weakref

import pytest
from aio_pika.exceptions import AMQPConnectionError
from yarl import URL

from notifier.queue.rabbitmq.dialling import AbortableConnection
from tests.servers.processes import free_port
from tests.waiting import require


async def test_one_that_was_never_made_is_collected_in_any_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A captured log line would hold the error, and with it the connection.
    monkeypatch.setattr(logging.getLogger("aiormq.connection"), "disabled", True)
    url = URL(f"amqp://guest:guest@localhost:{free_port()}/")
    connection = AbortableConnection(url, addresses=["127.0.0.1"])
    with pytest.raises(AMQPConnectionError):
        await connection.connect()
    gone = weakref.ref(connection)
    # It refers to itself, so that a collection ends it, and none but ours.
    connection.kwargs["itself"] = connection
    gc.disable()
    del connection

    async def is_gone() -> bool:
        await asyncio.to_thread(gc.collect)
        return gone() is None

    try:
        # A warning there fails the test.
        await require(is_gone, timeout_s=20, what="the collection")
    finally:
        gc.enable()
