"""Connections and channels: how they begin and end."""

import asyncio

import pytest
from pamqp.commands import Basic, Channel, Connection, Queue

from tests.contract.broker.bench import Bench
from tests.contract.broker.client import Client, Ended, connected
from tests.patience import AT_ALL_S


async def test_a_connection_is_closed_in_order(client: Client) -> None:
    await client.itself.call(Connection.Close(200, "bye", 0, 0), Connection.CloseOk)


async def test_a_client_that_speaks_something_else_is_told_the_protocol(bench: Bench) -> None:
    async with connected(bench.url) as client:
        host, port = client.peer
    reader, writer = await asyncio.open_connection(host, port)

    writer.write(b"HTTP/1.1")

    async with asyncio.timeout(AT_ALL_S):
        assert (await reader.readexactly(8)).startswith(b"AMQP")
    writer.close()
    await writer.wait_closed()


async def test_a_channel_that_is_not_open_ends_the_connection(client: Client) -> None:
    line = await client.line()
    await line.close()

    line.send(Queue.Declare(queue="q", passive=True))

    closed = await client.itself.await_method(Connection.Close)
    assert closed.reply_code == 504
    client.itself.send(Connection.CloseOk())
    with pytest.raises(Ended):
        await client.itself.next()


async def test_a_channel_that_is_open_cannot_be_opened(client: Client) -> None:
    line = await client.line()

    line.send(Channel.Open())

    assert (await client.itself.await_method(Connection.Close)).reply_code == 504


async def test_content_without_a_publish_ends_the_connection(client: Client) -> None:
    line = await client.line()

    line.send_body(b"1")

    assert (await client.itself.await_method(Connection.Close)).reply_code == 505


async def test_a_method_in_place_of_content_ends_the_connection(client: Client) -> None:
    line = await client.line()

    line.send(Basic.Publish(routing_key="q"), Basic.Qos(prefetch_count=1))

    assert (await client.itself.await_method(Connection.Close)).reply_code == 505


async def test_closing_a_channel_twice_is_answered(client: Client) -> None:
    """Both sides close it at the same time."""
    reader = await client.line()
    reader.send(Queue.Declare(queue="missing", passive=True), Channel.Close(200, "", 0, 0))

    await reader.await_method(Channel.Close)
    await reader.await_method(Channel.CloseOk)
    reader.send(Channel.CloseOk())
    await reader.open()


async def test_a_channel_may_flow(client: Client) -> None:
    line = await client.line()

    assert (await line.call(Channel.Flow(active=True), Channel.FlowOk)).active


async def test_a_client_that_is_silent_is_cut(bench: Bench) -> None:
    async with connected(bench.url, heartbeat_s=1) as client:
        with pytest.raises(Ended):
            await client.itself.next()
        assert client.heartbeats >= 2
