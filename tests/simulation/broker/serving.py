"""The broker on a real socket, for tests that are not simulated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.simulation.broker.server import Broker


@asynccontextmanager
async def served(broker: Broker) -> AsyncIterator[str]:
    """Serve `broker` on a loopback port, and yield its URL."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(broker.connection, "127.0.0.1", 0)
    try:
        _, port = server.sockets[0].getsockname()
        yield f"amqp://guest:guest@127.0.0.1:{port}/"
    finally:
        broker.close()
        server.close()
        await server.wait_closed()
