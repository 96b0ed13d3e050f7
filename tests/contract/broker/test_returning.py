"""What comes back to a queue: in which order, to whom, and how it is counted."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from pamqp.commands import Basic

from tests.contract.broker.bench import Bench
from tests.contract.broker.client import Client, Line, Mail, connected

GiveBack: TypeAlias = Callable[[Line, Mail], Awaitable[None]]


async def by_nack(reader: Line, mail: Mail) -> None:
    reader.nack(mail.tag)


async def by_reject(reader: Line, mail: Mail) -> None:
    reader.reject(mail.tag, requeue=True)


async def by_closing(reader: Line, _: Mail) -> None:
    await reader.close()
    await reader.open()
    await reader.prefetch(1)
    await reader.consume("q", "c")


WAYS = [by_nack, by_reject, by_closing]


@pytest.fixture(autouse=True)
def limited(bench: Bench) -> None:
    """A queue without a delivery limit serves last what comes back."""
    bench.police("^q$", {"delivery-limit": 100})


async def test_a_first_delivery_tells_of_no_others(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1")

    await reader.consume("q", "c")

    headers = (await reader.await_mail()).headers
    assert headers == {}


@pytest.mark.parametrize("give_back", WAYS)
async def test_what_comes_back_is_delivered_again_at_once(
    bench: Bench, writer: Line, reader: Line, give_back: GiveBack
) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.prefetch(1)
    await reader.consume("q", "c")

    for count in range(1, 4):
        await give_back(reader, await reader.await_mail())
        again = await peek(reader)
        assert (again.body, again.is_again) == (b"1", True)
        assert again.headers == expected_counts(bench, give_back, count)


def expected_counts(bench: Bench, give_back: GiveBack, count: int) -> dict[str, object]:
    if bench.version.counts_nacks:
        return {"x-delivery-count": count}
    failures = {} if give_back is by_nack else {"x-delivery-count": count}
    return {**failures, "x-acquired-count": count}


async def peek(line: Line) -> Mail:
    """Look at what comes next, and leave it there."""
    mail = await line.await_mail()
    line.put_back(mail)
    return mail


async def test_what_one_consumer_gives_back_goes_to_the_next(writer: Line, reader: Line) -> None:
    await reader.prefetch(1)
    await reader.consume("q", "a")
    await reader.consume("q", "b")
    await writer.publish("q", b"1")
    mail = await reader.await_mail()

    reader.nack(mail.tag)

    again = await reader.await_mail()
    assert isinstance(again.method, Basic.Deliver)
    assert again.method.consumer_tag == "b"


async def test_what_comes_back_is_served_before_what_is_new(writer: Line, reader: Line) -> None:
    await writer.publish("q", *(b"%d" % number for number in range(5)))
    await reader.prefetch(3)
    await reader.consume("q", "c")
    await reader.bodies(3)

    await reader.close()

    await writer.finds("q", ready=5)
    assert await all_in(writer) == [b"0", b"1", b"2", b"3", b"4"]


async def test_what_comes_back_is_served_in_the_order_of_coming_back(
    writer: Line, reader: Line
) -> None:
    await writer.publish("q", *(b"%d" % number for number in range(5)))
    await reader.prefetch(4)
    await reader.consume("q", "c")
    mails = [await reader.await_mail() for _ in range(4)]
    await reader.call(Basic.Cancel(consumer_tag="c"), Basic.CancelOk)

    for index in (2, 0, 1):
        reader.nack(mails[index].tag)
    await writer.finds("q", ready=4)
    await reader.close()

    await writer.finds("q", ready=5)
    assert await all_in(writer) == [b"2", b"0", b"1", b"3", b"4"]


@pytest.mark.parametrize("give_back", WAYS[:2])
async def test_a_queue_without_a_limit_serves_last_what_comes_back(
    bench: Bench, writer: Line, reader: Line, give_back: GiveBack
) -> None:
    bench.police("^q$", {"max-length": 1_000_000})
    await writer.delete("q")
    await writer.declare("q")
    await writer.publish("q", b"1", b"2", b"3")
    await reader.prefetch(1)
    await reader.consume("q", "c")

    await give_back(reader, await reader.await_mail())

    has_limit = bench.version.delivery_limit is not None
    assert (await reader.await_mail()).body == (b"1" if has_limit else b"2")


async def test_many_come_back_at_once_in_their_order(writer: Line, reader: Line) -> None:
    await writer.publish("q", *(b"%d" % number for number in range(5)))
    await reader.consume("q", "c")
    await reader.bodies(5)
    await reader.call(Basic.Cancel(consumer_tag="c"), Basic.CancelOk)

    reader.nack(4, multiple=True)
    await writer.finds("q", ready=4)
    reader.nack(0, multiple=True)

    await writer.finds("q", ready=5)
    assert await all_in(writer) == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_lost_channel_gives_back_consumer_by_consumer(
    bench: Bench, writer: Line, reader: Line
) -> None:
    await reader.prefetch(2)
    for tag in ("b", "a"):
        await reader.consume("q", tag)
    await writer.publish("q", b"b1", b"a1", b"b2", b"a2")
    await reader.bodies(4)

    await reader.close()

    await writer.finds("q", ready=4)
    by_tag = bench.version.recovers_by_tag
    in_order = [b"a1", b"a2", b"b1", b"b2"] if by_tag else [b"b1", b"b2", b"a1", b"a2"]
    assert await all_in(writer) == in_order


async def test_a_lost_channel_gives_back_what_was_fetched(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1", b"2", b"3")
    for _ in range(2):
        reader.send(Basic.Get(queue="q"))
        await reader.await_mail()

    await reader.close()

    await writer.finds("q", ready=3)
    assert await all_in(writer) == [b"1", b"2", b"3"]


async def test_a_lost_connection_gives_back_what_it_had(bench: Bench, writer: Line) -> None:
    await writer.publish("q", b"1", b"2", b"3")
    async with connected(bench.url) as other:
        reader = await other.line()
        await reader.prefetch(2)
        await reader.consume("q", "c")
        await reader.bodies(2)
        await writer.finds("q", ready=1, consumers=1)

        await other.cut()

    await writer.finds("q", ready=3)
    await writer.finds("q", ready=3, consumers=0)
    writer.send(Basic.Get(queue="q"))
    mail = await writer.await_mail()
    assert (mail.body, mail.is_again) == (b"1", True)
    assert mail.headers["x-delivery-count"] == 1


async def test_another_consumer_gets_what_a_lost_channel_had(
    client: Client, writer: Line, reader: Line
) -> None:
    other = await client.line()
    await writer.publish("q", b"1", b"2")
    await reader.consume("q", "c")
    await reader.bodies(2)
    await other.prefetch(1)
    await other.consume("q", "d")

    await reader.close()

    first = await other.await_mail()
    other.ack(first.tag)
    second = await other.await_mail()
    assert [first.body, second.body] == [b"1", b"2"]


async def all_in(line: Line) -> list[bytes]:
    """Take all that is ready in q."""
    bodies: list[bytes] = []
    while True:
        line.send(Basic.Get(queue="q", no_ack=True))
        found = await line.next()
        if not isinstance(found, Mail):
            return bodies
        bodies.append(found.body)


async def test_a_message_may_be_returned_by_each_channel_of_a_lost_connection(
    bench: Bench, writer: Line
) -> None:
    """Queues hear of lost channels one by one, and serve those that they did not hear of yet."""
    async with connected(bench.url) as other:
        lines = [await other.line() for _ in range(4)]
        for line in lines:
            await line.prefetch(1)
            await line.consume("q", "c")
        await writer.publish("q", b"1")
        await lines[0].await_mail()

        await other.cut()

    await writer.finds("q", ready=1, consumers=0)
    writer.send(Basic.Get(queue="q"))
    assert (await writer.await_mail()).headers["x-delivery-count"] in {1, 2, 3, 4}
