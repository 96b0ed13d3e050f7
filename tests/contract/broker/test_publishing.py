"""What becomes of what is published, and what its publisher is told."""

from pamqp.body import ContentBody
from pamqp.commands import Basic, Channel, Exchange, Queue
from pamqp.header import ContentHeader

from tests.contract.broker.bench import Bench
from tests.contract.broker.client import Client, Line, count


async def test_a_confirmed_message_is_ready(writer: Line) -> None:
    await writer.publish("q", b"1", b"2")

    await writer.finds("q", ready=2, consumers=0)


async def test_messages_are_confirmed_by_their_numbers_in_order(writer: Line) -> None:
    for number in range(20):
        writer.write("q", b"%d" % number)

    confirmed = 0
    while confirmed < 20:
        ack = await writer.await_method(Basic.Ack)
        assert ack.delivery_tag is not None
        assert ack.delivery_tag == confirmed + 1 or ack.multiple
        confirmed = ack.delivery_tag
    await writer.finds("q", ready=20, consumers=0)


async def test_what_no_queue_is_bound_for_is_returned_and_then_confirmed(writer: Line) -> None:
    properties = Basic.Properties(message_id="7", headers={"a": "b"}, delivery_mode=2)

    writer.write("nowhere", b"lost", properties=properties)

    returned = await writer.await_mail()
    assert isinstance(returned.method, Basic.Return)
    assert (returned.method.reply_code, returned.method.reply_text) == (312, "NO_ROUTE")
    assert (returned.method.exchange, returned.method.routing_key) == ("", "nowhere")
    assert (returned.body, returned.properties) == (b"lost", properties)
    ack = await writer.await_method(Basic.Ack)
    assert (ack.delivery_tag, ack.multiple) == (1, False)


async def test_a_returned_message_is_numbered_like_the_others(writer: Line) -> None:
    writer.write("nowhere", b"lost")
    await writer.await_mail()
    await writer.await_method(Basic.Ack)

    writer.write("q", b"kept")

    assert (await writer.await_method(Basic.Ack)).delivery_tag == 2


async def test_what_is_not_mandatory_is_confirmed_though_nobody_gets_it(writer: Line) -> None:
    writer.send(Basic.Publish(routing_key="nowhere"), ContentHeader(0, 4), ContentBody(b"lost"))

    await writer.await_method(Basic.Ack)


async def test_publishing_to_an_exchange_that_is_missing_ends_the_channel(writer: Line) -> None:
    writer.write("q", b"1", exchange="missing")

    closed = await writer.await_method(Channel.Close)
    assert (closed.reply_code, closed.class_id, closed.method_id) == (404, 60, 40)
    assert closed.reply_text.startswith("NOT_FOUND - no exchange 'missing' in vhost '")


async def test_what_is_published_on_a_channel_that_was_ended_is_lost(
    writer: Line, reader: Line
) -> None:
    writer.write("q", b"1", exchange="missing")
    writer.write("q", b"2")
    writer.write("q", b"3")

    await writer.await_method(Channel.Close)
    writer.send(Channel.CloseOk())
    await writer.open()
    await reader.finds("q", ready=0, consumers=0)


async def test_a_message_reaches_all_queues_that_are_bound_with_its_key(writer: Line) -> None:
    await writer.declare("r")
    exchange = Exchange.Declare(exchange="x", exchange_type="direct", durable=True)
    await writer.call(exchange, Exchange.DeclareOk)
    for queue in ("q", "r"):
        bind = Queue.Bind(queue=queue, exchange="x", routing_key="both")
        await writer.call(bind, Queue.BindOk)

    writer.write("both", b"1", exchange="x")

    await writer.await_method(Basic.Ack)
    await writer.finds("q", ready=1, consumers=0)
    await writer.finds("r", ready=1, consumers=0)


async def test_a_long_body_goes_in_parts(writer: Line, reader: Line) -> None:
    body = bytes(range(256)) * 2_000
    parts = [ContentBody(body[at : at + 100_000]) for at in range(0, len(body), 100_000)]
    writer.send(Basic.Publish(routing_key="q"), ContentHeader(0, len(body)), *parts)
    await writer.await_method(Basic.Ack)

    await reader.consume("q", "c")

    assert (await reader.await_mail()).body == body


async def test_an_empty_body_is_a_message(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"")
    await reader.consume("q", "c")

    assert (await reader.await_mail()).body == b""


async def test_properties_arrive_as_they_were_published(writer: Line, reader: Line) -> None:
    sent = Basic.Properties(
        content_type="application/json",
        content_encoding="utf-8",
        headers={"traceparent": "00-1-2-01", "n": 5},
        delivery_mode=2,
        correlation_id="c",
        reply_to="r",
        message_id="m",
        message_type="t",
        app_id="a",
    )
    writer.write("q", b"1", properties=sent)
    await writer.await_method(Basic.Ack)

    await reader.consume("q", "c")

    mail = await reader.await_mail()
    assert mail.headers.items() >= {"traceparent": "00-1-2-01", "n": 5}.items()
    mail.properties.headers = sent.headers
    assert mail.properties == sent


async def test_a_full_queue_refuses_until_it_is_well_below_its_limit(
    bench: Bench, client: Client
) -> None:
    bench.police("^q$", {"max-length": 10, "overflow": "reject-publish"})
    line = await client.line()
    await line.select()
    await line.declare("q")

    assert await fill(line) == 11
    assert await is_refused(line)
    await drain(line, to=9)
    assert await is_refused(line)
    await drain(line, to=8)
    assert not await is_refused(line)


async def test_a_full_queue_refuses_a_new_publisher_only_while_it_is_over_its_limit(
    bench: Bench, client: Client
) -> None:
    bench.police("^q$", {"max-length": 10, "overflow": "reject-publish"})
    line, other = await client.line(), await client.line()
    for each in (line, other):
        await each.select()
    await line.declare("q")
    await fill(line)

    assert await is_refused(other)
    third = await client.line()
    await third.select()
    await drain(line, to=9)
    assert await is_refused(line)
    assert not await is_refused(third)


async def test_a_queue_that_drops_its_head_keeps_the_newest(bench: Bench, client: Client) -> None:
    bench.police("^q$", {"max-length": 2})
    line = await client.line()
    await line.select()
    await line.declare("q")

    await line.publish("q", b"1", b"2", b"3", b"4")

    await line.finds("q", ready=2)
    await line.consume("q", "c")
    assert await line.bodies(2) == [b"3", b"4"]


async def fill(line: Line) -> int:
    """Publish until one is refused; how many were taken."""
    for taken in range(100):
        if await is_refused(line):
            return taken
    raise AssertionError


async def is_refused(line: Line) -> bool:
    line.write("q", b"one more")
    return isinstance(await line.next(), Basic.Nack)


async def drain(line: Line, to: int) -> None:
    while count(await line.look("q")) > to:
        line.send(Basic.Get(queue="q", no_ack=True))
        await line.await_mail()
