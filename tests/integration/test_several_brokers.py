"""A URL with several brokers, or a name with several addresses: the next is asked."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs
from yarl import URL

from notifier.errors import QueueUnavailableError
from notifier.queue.rabbitmq.address import parse_broker
from notifier.queue.rabbitmq.connection import RabbitSettings, Search
from notifier.queue.rabbitmq.management import Management, ManagementError
from notifier.queue.rabbitmq.queue import RabbitQueue, open_rabbit_queue
from notifier.queue.rabbitmq.topology import apply_topology, dead_queue_depths
from notifier.queue.topology import POLICIES
from tests.clock import SystemClock
from tests.gateway import gateway_to
from tests.patience import AT_ALL_S
from tests.servers.certificates import make_certificates
from tests.servers.processes import free_port
from tests.servers.rabbitmq import RabbitMq
from tests.waiting import require

SETTINGS = RabbitSettings(connection_name="test", call_timeout_s=1)
CLOSE = (
    b"\x01\x00\x00\x00\x00\x00\x1c\x00\x0a\x00\x32\x01\x93\x11ACCESS_REFUSED -.\x00\x00\x00\x00\xce"
)
"""The frame of a connection.close with 403."""
CLOSE_541 = (
    b"\x01\x00\x00\x00\x00\x00\x19\x00\x0a\x00\x32\x02\x1d\x0eINTERNAL_ERROR\x00\x00\x00\x00\xce"
)

Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def at(url: str, *places: str) -> str:
    """The URL with these hosts and ports in place of its own."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{login}@{','.join(places)}").geturl()


def place_of(url: str) -> str:
    return str(parse_broker(url).endpoints[0])


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass
    writer.close()


async def speak_http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


@asynccontextmanager
async def served(serve: Serve, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, host, port)
    try:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def hanging(_: str) -> AsyncIterator[str]:
    async with served(say_nothing) as place:
        yield place


@asynccontextmanager
async def speaking_http(_: str) -> AsyncIterator[str]:
    async with served(speak_http) as place:
        yield place


@asynccontextmanager
async def not_there(_: str) -> AsyncIterator[str]:
    yield f"127.0.0.1:{free_port()}"


@asynccontextmanager
async def nameless(_: str) -> AsyncIterator[str]:
    yield "nowhere.invalid"


@asynccontextmanager
async def refusing_the_login(url: str) -> AsyncIterator[str]:
    def refused(said: bytes) -> bytes:
        return CLOSE if said[7:11] == b"\x00\x0a\x00\x1e" else said  # in place of connection.tune

    async with gateway_to(url, refused) as gateway:
        yield place_of(gateway.url)


@pytest.mark.parametrize(
    "first",
    [hanging, speaking_http, not_there, nameless, refusing_the_login],
    ids=lambda f: f.__name__,
)
async def test_where_the_first_broker_is_of_no_use_the_second_is_used(
    amqp_url: str, first: Callable[[str], AbstractAsyncContextManager[str]]
) -> None:
    async with first(amqp_url) as useless:
        url = at(amqp_url, useless, place_of(amqp_url))

        async with open_rabbit_queue(
            url, SETTINGS, SystemClock(), search=Search(first=lambda: 0)
        ) as queue:
            await reached(queue)

        assert len(await asyncio.to_thread(dead_queue_depths, url)) == 3


async def reached(queue: RabbitQueue) -> None:
    await require(partial(answers, queue), timeout_s=AT_ALL_S, what="the good broker")


async def answers(queue: RabbitQueue) -> bool:
    try:
        await queue.ping()
    except QueueUnavailableError:
        return False
    return True


async def test_a_client_begins_with_any_of_them_and_says_which(amqp_url: str) -> None:
    useless, good = "nowhere.invalid:5672", place_of(amqp_url)
    with capture_logs() as logs:
        async with open_rabbit_queue(
            at(amqp_url, useless, good), SETTINGS, SystemClock(), search=Search(first=lambda: 1)
        ):
            pass

    told = [(each["event"], each["broker"]) for each in logs if "broker" in each]
    assert told[:2] == [("broker.connected", good)] * 2
    assert {broker for _, broker in told} == {good}


async def test_where_the_first_address_of_a_name_hangs_the_second_is_used(amqp_url: str) -> None:
    asked: list[str] = []

    async def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.2", "127.0.0.1"]

    port = parse_broker(amqp_url).endpoints[0].port
    search = Search(first=lambda: 0, resolve=resolve)
    async with (
        served(say_nothing, "127.0.0.2", port),
        open_rabbit_queue(
            at(amqp_url, f"two.example:{port}"), SETTINGS, SystemClock(), search=search
        ) as queue,
    ):
        await reached(queue)

    assert set(asked) == {"two.example"}


async def test_an_address_that_takes_no_connection_is_passed_over_at_once(amqp_url: str) -> None:
    async def resolve(_: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    with capture_logs() as logs:
        async with open_rabbit_queue(
            amqp_url, SETTINGS, SystemClock(), search=Search(first=lambda: 0, resolve=resolve)
        ) as queue:
            await queue.ping()

    assert not [each for each in logs if each["event"] == "broker.unreachable"]


async def test_a_certificate_has_to_name_the_host_and_not_its_address(
    amqp_url: str, tmp_path: Path
) -> None:
    async def resolve(_: str) -> Sequence[str]:
        return ["127.0.0.1"]

    certificates = make_certificates(tmp_path)
    there = URL(amqp_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(there.host, there.port)
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificates.server_context())
    port = server.sockets[0].getsockname()[1]
    taken = {}
    for name in ("localhost", "other.example"):
        url = at(amqp_url, f"{name}:{port}").replace("amqp:", "amqps:")
        async with open_rabbit_queue(
            f"{url}?cacertfile={certificates.authority}",
            SETTINGS,
            SystemClock(),
            search=Search(resolve=resolve),
        ) as queue:
            taken[name] = await answers(queue)
    server.close()

    assert taken == {"localhost": True, "other.example": False}


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def test_a_broker_that_ends_the_connection_is_quoted(amqp_url: str) -> None:
    def ended(said: bytes) -> bytes:
        return CLOSE_541 if said[7:11] == b"\x00\x32\x00\x0b" else said  # queue.declare-ok

    async with open_rabbit_queue(amqp_url, SETTINGS, SystemClock()):
        pass
    async with gateway_to(amqp_url, ended) as gateway:
        with pytest.raises(QueueUnavailableError, match="ended the connection: 541 INTERNAL_ERR"):
            await asyncio.to_thread(dead_queue_depths, gateway.url)


def test_where_none_can_be_had_each_is_named_with_its_reason(amqp_url: str) -> None:
    nothing = f"127.0.0.1:{free_port()}"
    url = at(amqp_url, nothing, "nowhere.invalid:5672")

    with pytest.raises(QueueUnavailableError) as caught:
        dead_queue_depths(url)

    told = str(caught.value)
    assert f"at {nothing}: nothing listens at its address" in told
    assert "at nowhere.invalid:5672: its host's name is not known" in told
    assert str(parse_broker(url).password) not in told


def test_the_first_management_api_that_answers_is_asked_first_from_then_on(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    nothing = f"http://127.0.0.1:{free_port()}"
    one = Management.of(amqp_url, rabbitmq.management_url)
    both = Management(
        urls=deque([nothing, *one.urls]), vhost=one.vhost, user=one.user, password=one.password
    )
    path = ("policies", one.vhost, POLICIES[0].name)

    assert both.get(*path) == one.get(*path) is not None
    assert list(both.urls) == [*one.urls, nothing]

    neither = Management(
        urls=deque([nothing]), vhost=one.vhost, user=one.user, password=one.password
    )
    with pytest.raises(ManagementError, match=f"no management API at {nothing}"):
        neither.get(*path)
