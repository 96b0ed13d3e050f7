"""What a broker that was killed still knows."""

from contextlib import AsyncExitStack

import pytest
from pamqp.commands import Basic

from tests.contract.broker.bench import Bench
from tests.contract.broker.client import Client, Ended, Line, connected
from tests.contract.broker.test_dying import SAFE, deaths_of, exhume, opened, with_grave


async def test_messages_and_queues_outlive_the_broker_and_connections_do_not(
    bench: Bench, writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2", b"3")
    await reader.prefetch(1)
    await reader.consume("q", "c")
    await reader.await_mail()

    await bench.restart()

    with pytest.raises(Ended):
        await reader.next()
    async with connected(bench.url) as client:
        line = await client.line()
        await line.finds("q", ready=3, consumers=0)
        await line.consume("q", "c")
        mails = [await line.await_mail() for _ in range(3)]
        found = sorted((mail.body, mail.is_again, failures(mail.headers)) for mail in mails)
        assert found == [(b"1", True, 1), (b"2", False, 0), (b"3", False, 0)]


async def test_a_message_dies_of_a_restart_that_more_consumers_than_its_limit_are_lost_in(
    bench: Bench, client: Client
) -> None:
    """Queues hear of lost channels one by one, and serve those that they did not hear of yet."""
    bench.police("^q$", {**SAFE, "delivery-limit": 5})
    line = await with_grave(await opened(client))
    async with AsyncExitStack() as stack:
        for number in range(12):
            other = await stack.enter_async_context(connected(bench.url))
            consumer = await other.line()
            await consumer.prefetch(1)
            await consumer.consume("q", str(number))
        await line.publish("q", b"1")
        await line.finds("q", ready=0)

        await bench.restart()

    async with connected(bench.url) as later:
        letter = await exhume(await later.line())
        assert deaths_of(letter)[0]["reason"] == "delivery_limit"


def failures(headers: dict[str, object]) -> object:
    return headers.get("x-delivery-count", 0)


async def test_what_was_settled_is_settled_for_good(
    bench: Bench, writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.prefetch(1)
    await reader.consume("q", "c")
    reader.ack((await reader.await_mail()).tag)
    await reader.await_mail()

    await bench.restart()

    async with connected(bench.url) as client:
        line = await client.line()
        await line.finds("q", ready=1, consumers=0)
        line.send(Basic.Get(queue="q"))
        assert (await line.await_mail()).body == b"2"
