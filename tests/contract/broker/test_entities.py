"""Declaring, finding and deleting."""

import pytest
from pamqp.base import Frame
from pamqp.commands import Basic, Exchange, Queue

from tests.contract.broker.client import QUORUM, Line


@pytest.mark.parametrize(
    "method",
    [
        Queue.Declare(queue="missing", passive=True),
        Queue.Purge(queue="missing"),
        Exchange.Declare(exchange="missing", passive=True),
        Queue.Bind(queue="q", exchange="missing", routing_key="k"),
        Queue.Bind(queue="missing", exchange="amq.direct", routing_key="k"),
    ],
    ids=["queue", "queue to purge", "exchange", "exchange to bind to", "queue to bind"],
)
async def test_what_is_missing_ends_the_channel(reader: Line, method: Frame) -> None:
    closed = await reader.refused(method)

    assert closed.reply_code == 404
    assert (closed.class_id, closed.method_id) == divmod(method.index, 1 << 16)
    assert closed.reply_text.startswith("NOT_FOUND - no ")


async def test_a_channel_can_be_opened_again_after_a_refusal(reader: Line) -> None:
    await reader.refused(Queue.Declare(queue="missing", passive=True))

    await reader.open()

    await reader.finds("q", ready=0, consumers=0)


async def test_declaring_again_finds_what_is_there(writer: Line) -> None:
    await writer.publish("q", b"1")

    found = await writer.declare("q")

    assert (found.queue, found.message_count, found.consumer_count) == ("q", 1, 0)
    exchange = Exchange.Declare(exchange="x", exchange_type="direct", durable=True)
    await writer.call(exchange, Exchange.DeclareOk)
    await writer.call(exchange, Exchange.DeclareOk)


async def test_a_queue_cannot_be_declared_with_other_arguments(reader: Line) -> None:
    other = Queue.Declare(queue="q", durable=True, arguments={**QUORUM, "x-max-length": 5})

    closed = await reader.refused(other)

    assert (closed.reply_code, closed.class_id, closed.method_id) == (406, 50, 10)
    start = "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '"
    assert closed.reply_text.startswith(start)


async def test_a_queue_is_deleted_with_its_bindings(writer: Line) -> None:
    exchange = Exchange.Declare(exchange="x", exchange_type="direct", durable=True)
    await writer.call(exchange, Exchange.DeclareOk)
    bind = Queue.Bind(queue="q", exchange="x", routing_key="k")
    await writer.call(bind, Queue.BindOk)

    await writer.delete("q")
    await writer.declare("q")

    writer.write("k", b"1", exchange="x")
    await writer.await_mail()


async def test_deleting_what_is_not_there_is_no_error(writer: Line) -> None:
    assert await writer.delete("missing") == 0
    await writer.call(Exchange.Delete(exchange="missing"), Exchange.DeleteOk)


async def test_a_binding_that_is_taken_back_leads_nowhere(writer: Line) -> None:
    exchange = Exchange.Declare(exchange="x", exchange_type="direct", durable=True)
    await writer.call(exchange, Exchange.DeclareOk)
    bind = Queue.Bind(queue="q", exchange="x", routing_key="k")
    await writer.call(bind, Queue.BindOk)

    unbind = Queue.Unbind(queue="q", exchange="x", routing_key="k")
    await writer.call(unbind, Queue.UnbindOk)

    writer.write("k", b"1", exchange="x")
    await writer.await_mail()


async def test_a_topic_is_matched_word_by_word_and_a_queue_gets_each_message_once(
    writer: Line,
) -> None:
    exchange = Exchange.Declare(exchange="t", exchange_type="topic", durable=True)
    await writer.call(exchange, Exchange.DeclareOk)
    for pattern in ("order.#", "order.placed", "*.made", "a.*.#.z"):
        bind = Queue.Bind(queue="q", exchange="t", routing_key=pattern)
        await writer.call(bind, Queue.BindOk)
    matching = ("order", "order.placed", "order.a.b", "payment.made", "a.b.z", "a.b.c.d.z")
    others = ("orders", "made", "x.payment.made", "a.z", "z.order", "order.placed.made".upper())

    for key in others:
        writer.write(key, b"0", exchange="t")
        await writer.await_mail()
        await writer.await_method(Basic.Ack)
    for key in matching:
        writer.write(key, b"1", exchange="t")
        await writer.await_method(Basic.Ack)

    await writer.finds("q", ready=len(matching))
