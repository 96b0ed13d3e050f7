"""What an alarm does to those that publish, and to the others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pamqp.commands import Basic, Connection

from tests.contract.broker.bench import Bench
from tests.contract.broker.client import Client, Ended, Line, connected


@asynccontextmanager
async def alarmed(bench: Bench) -> AsyncIterator[None]:
    await bench.alarm(on=True)
    try:
        yield
    finally:
        await bench.alarm(on=False)


async def test_who_publishes_is_blocked_and_confirmed_after_the_alarm(
    bench: Bench, client: Client, writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"before")
    async with alarmed(bench):
        await reader.finds("q", ready=1)
        writer.write("q", b"during")
        await client.itself.await_method(Connection.Blocked)
        async with connected(bench.url) as other:
            await (await other.line()).finds("q", ready=1)

    await client.itself.await_method(Connection.Unblocked)
    await writer.await_method(Basic.Ack)
    await writer.finds("q", ready=2)


async def test_who_consumes_is_served_in_an_alarm(bench: Bench, writer: Line) -> None:
    await writer.publish("q", b"1", b"2")
    async with alarmed(bench), connected(bench.url) as other:
        reader = await other.line()
        await reader.prefetch(1)
        await reader.consume("q", "c")
        reader.ack((await reader.await_mail()).tag)
        assert (await reader.await_mail()).body == b"2"


async def test_what_a_blocked_client_published_is_taken_though_it_is_gone(
    bench: Bench, writer: Line
) -> None:
    async with alarmed(bench):
        async with connected(bench.url, heartbeat_s=60) as other:
            line = await other.line()
            line.write("q", b"1")
            await other.itself.await_method(Connection.Blocked)
            await other.cut()
        await writer.finds("q", ready=0)

    await writer.finds("q", ready=1)


async def test_a_blocked_client_that_is_gone_for_long_is_forgotten(
    bench: Bench, writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"held")
    async with alarmed(bench):
        async with connected(bench.url, heartbeat_s=1) as other:
            line = await other.line()
            await line.consume("q", "c")
            await line.await_mail()
            line.write("q", b"1")
            await other.itself.await_method(Connection.Blocked)
            await other.cut()
        await reader.finds("q", ready=1, consumers=0)

    await writer.publish("q", b"after")
    await writer.finds("q", ready=2)


async def test_a_blocked_client_is_not_expected_to_send_heartbeats(bench: Bench) -> None:
    async with alarmed(bench), connected(bench.url, heartbeat_s=1) as client:
        line = await client.line()
        line.write("q", b"1")
        await client.itself.await_method(Connection.Blocked)
        await client.hears(8)
    with pytest.raises(Ended):
        await client.itself.next()
