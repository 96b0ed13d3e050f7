"""The broker behind TLS, for each of the clients that read its URL."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from yarl import URL

from notifier.errors import QueueUnavailableError
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.queue.rabbitmq.topology import dead_queue_depths
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.messages import ManualClock


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@pytest.fixture
async def amqps_url(amqp_url: str, certificates: Certificates) -> AsyncIterator[str]:
    """The broker, behind a proxy that takes TLS."""
    there = URL(amqp_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(there.host, there.port)
        await asyncio.gather(_pass_on(reader, other_writer), _pass_on(other_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificates.server_context())
    port = server.sockets[0].getsockname()[1]
    try:
        yield str(there.with_scheme("amqps").with_host("localhost").with_port(port))
    finally:
        server.close()


async def is_up(url: str) -> bool:
    settings = RabbitSettings(connection_name="test")
    async with open_rabbit_queue(url, settings, ManualClock()) as queue:
        try:
            await queue.ping()
        except QueueUnavailableError:
            return False
        return True


async def is_up_for_operators(url: str) -> bool:
    try:
        await asyncio.to_thread(dead_queue_depths, url)
    except QueueUnavailableError:
        return False
    return True


async def test_a_broker_is_verified_by_the_authority_that_its_url_names(
    amqps_url: str, certificates: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path).authority
    by_address = amqps_url.replace("localhost", "127.0.0.1")

    for query in (f"cacertfile={certificates.authority}", f"cafile={certificates.authority}",
                  "verify=verify_none", "no_verify_ssl=1"):  # fmt: skip
        assert await is_up(f"{amqps_url}?{query}")
        assert await is_up_for_operators(f"{by_address}?{query}")
    for query in ("", f"cacertfile={other}", "verify=verify_peer"):
        assert not await is_up(f"{amqps_url}?{query}")
        assert not await is_up_for_operators(f"{amqps_url}?{query}")
