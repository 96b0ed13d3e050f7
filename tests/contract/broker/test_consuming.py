"""Who is sent what, in which order, and how much at a time."""

import pytest
from pamqp.commands import Basic, Connection

from tests.contract.broker.bench import Bench
from tests.contract.broker.client import Client, Line, Mail


async def test_messages_are_delivered_in_their_order_and_numbered(
    writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2", b"3")

    await reader.consume("q", "c")

    mails = [await reader.await_mail() for _ in range(3)]
    assert [(mail.body, mail.tag) for mail in mails] == [(b"1", 1), (b"2", 2), (b"3", 3)]
    assert not any(mail.is_again for mail in mails)
    assert isinstance(mails[0].method, Basic.Deliver)
    method = mails[0].method
    assert (method.consumer_tag, method.exchange, method.routing_key) == ("c", "", "q")


async def test_what_is_delivered_is_not_counted_as_ready(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.prefetch(1)

    await reader.consume("q", "c")

    await reader.await_mail()
    await writer.finds("q", ready=1, consumers=1)


async def test_a_consumer_gets_the_next_once_it_has_acknowledged(
    writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.prefetch(1)
    await reader.consume("q", "c")
    first = await reader.await_mail()
    await writer.finds("q", ready=1, consumers=1)

    reader.ack(first.tag)

    assert (await reader.await_mail()).body == b"2"


async def test_prefetch_counts_for_each_consumer_by_itself(writer: Line, reader: Line) -> None:
    await writer.publish("q", *(b"%d" % number for number in range(5)))
    await reader.prefetch(1)

    for tag in ("a", "b", "c"):
        await reader.consume("q", tag)
        await reader.await_mail()

    await writer.finds("q", ready=2, consumers=3)


async def test_consumers_are_served_in_turn(writer: Line, reader: Line) -> None:
    await reader.prefetch(10)
    for tag in ("a", "b", "c"):
        await reader.consume("q", tag)

    await writer.publish("q", *(b"%d" % number for number in range(6)))

    mails = [await reader.await_mail() for _ in range(6)]
    assert [tag_of(mail) for mail in mails] == ["a", "b", "c", "a", "b", "c"]


async def test_a_consumer_that_has_acknowledged_waits_behind_the_others(
    writer: Line, reader: Line
) -> None:
    await reader.prefetch(1)
    for tag in ("a", "b"):
        await reader.consume("q", tag)
    await writer.publish("q", b"1")
    first = await reader.await_mail()
    reader.ack(first.tag)
    await writer.finds("q", ready=0)

    await writer.publish("q", b"2", b"3")

    mails = [first, await reader.await_mail(), await reader.await_mail()]
    assert [tag_of(mail) for mail in mails] == ["a", "b", "a"]


async def test_a_consumer_without_a_prefetch_is_sent_everything(writer: Line, reader: Line) -> None:
    await writer.publish("q", *(b"%d" % number for number in range(300)))

    await reader.consume("q", "c")

    assert len(await reader.bodies(300)) == 300


async def test_what_is_sent_to_a_consumer_that_does_not_acknowledge_is_gone(
    writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.prefetch(1)
    consume = Basic.Consume(queue="q", consumer_tag="c", no_ack=True)
    await reader.call(consume, Basic.ConsumeOk)

    assert await reader.bodies(2) == [b"1", b"2"]
    await reader.close()

    await writer.finds("q", ready=0, consumers=0)


async def test_a_cancelled_consumer_keeps_what_it_has_and_gets_no_more(
    writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.prefetch(1)
    await reader.consume("q", "c")
    mail = await reader.await_mail()

    await reader.call(Basic.Cancel(consumer_tag="c"), Basic.CancelOk)

    await writer.finds("q", ready=1, consumers=1)
    reader.ack(mail.tag)
    await writer.finds("q", ready=1, consumers=0)
    await reader.close()
    await writer.finds("q", ready=1, consumers=0)


async def test_cancelling_a_consumer_that_is_not_there_is_answered(reader: Line) -> None:
    found = await reader.call(Basic.Cancel(consumer_tag="nobody"), Basic.CancelOk)

    assert found.consumer_tag == "nobody"


async def test_consumers_may_come_and_go_without_an_answer(writer: Line, reader: Line) -> None:
    reader.send(Basic.Consume(queue="q", consumer_tag="a", nowait=True))
    await reader.consume("q", "b")
    reader.send(Basic.Cancel(consumer_tag="a", nowait=True))
    await reader.call(Basic.Cancel(consumer_tag="b"), Basic.CancelOk)

    await writer.finds("q", ready=0, consumers=0)


async def test_a_consumer_that_is_not_named_is_given_a_name(reader: Line) -> None:
    first = await reader.call(Basic.Consume(queue="q"), Basic.ConsumeOk)
    second = await reader.call(Basic.Consume(queue="q"), Basic.ConsumeOk)

    assert first.consumer_tag
    assert first.consumer_tag != second.consumer_tag


async def test_consuming_from_a_queue_that_is_missing_ends_the_channel(reader: Line) -> None:
    closed = await reader.refused(Basic.Consume(queue="missing", consumer_tag="c"))

    assert (closed.reply_code, closed.class_id, closed.method_id) == (404, 60, 20)
    assert closed.reply_text.startswith("NOT_FOUND - no queue 'missing' in vhost '")


async def test_a_consumers_tag_that_is_in_use_ends_the_connection(
    client: Client, reader: Line
) -> None:
    await reader.consume("q", "c")

    reader.send(Basic.Consume(queue="q", consumer_tag="c"))

    closed = await client.itself.await_method(Connection.Close)
    assert closed.reply_code == 530
    assert "reuse consumer tag 'c'" in closed.reply_text


async def test_a_prefetch_for_a_whole_channel_is_refused_or_one_for_each_consumer(
    bench: Bench, client: Client, writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2", b"3")
    await reader.call(Basic.Qos(prefetch_count=1, global_=True), Basic.QosOk)

    if bench.version.shares_prefetch:
        for tag in ("a", "b"):
            await reader.consume("q", tag)
            await reader.await_mail()
        await writer.finds("q", ready=1)
    else:
        reader.send(Basic.Consume(queue="q", consumer_tag="c"))
        assert (await client.itself.await_method(Connection.Close)).reply_code == 540


async def test_a_message_that_is_fetched_says_how_many_are_left(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1", b"2", b"3")

    reader.send(Basic.Get(queue="q"))

    mail = await reader.await_mail()
    assert isinstance(mail.method, Basic.GetOk)
    assert (mail.body, mail.tag, mail.method.message_count) == (b"1", 1, 2)
    await writer.finds("q", ready=2, consumers=1)
    reader.ack(mail.tag)
    await reader.close()
    await writer.finds("q", ready=2, consumers=0)


async def test_nothing_can_be_fetched_from_an_empty_queue(reader: Line) -> None:
    await reader.call(Basic.Get(queue="q"), Basic.GetEmpty)


async def test_a_tag_that_nobody_has_ends_the_channel(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1")
    await reader.consume("q", "c")
    mail = await reader.await_mail()

    closed = await reader.refused(Basic.Ack(mail.tag + 1))

    assert (closed.reply_code, closed.class_id, closed.method_id) == (406, 60, 80)
    assert closed.reply_text == "PRECONDITION_FAILED - unknown delivery tag 2"
    await writer.finds("q", ready=1)


@pytest.mark.parametrize("settling", [Basic.Ack(1), Basic.Nack(1), Basic.Reject(1)])
async def test_what_was_settled_cannot_be_settled_again(
    writer: Line, reader: Line, settling: Basic.Ack
) -> None:
    await writer.publish("q", b"1")
    await reader.consume("q", "c")
    reader.ack((await reader.await_mail()).tag)

    closed = await reader.refused(settling)

    assert closed.reply_code == 406
    await writer.finds("q", ready=0, consumers=0)


async def test_many_are_acknowledged_at_once(writer: Line, reader: Line) -> None:
    await writer.publish("q", *(b"%d" % number for number in range(5)))
    await reader.consume("q", "c")
    mails = [await reader.await_mail() for _ in range(5)]

    reader.ack(mails[2].tag, multiple=True)
    await reader.close()

    await writer.finds("q", ready=2)


async def test_all_are_acknowledged_at_once(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.consume("q", "c")
    await reader.bodies(2)

    reader.ack(0, multiple=True)
    reader.ack(0, multiple=True)
    await reader.close()

    await writer.finds("q", ready=0, consumers=0)


async def test_many_up_to_a_tag_that_nobody_has_end_the_channel(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.consume("q", "c")
    await reader.bodies(2)

    closed = await reader.refused(Basic.Ack(7, multiple=True))

    assert closed.reply_code == 406
    await writer.finds("q", ready=2)


async def test_many_up_to_a_tag_that_was_settled_end_the_channel(
    writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1", b"2", b"3")
    await reader.consume("q", "c")
    await reader.bodies(3)
    reader.ack(2)

    closed = await reader.refused(Basic.Ack(2, multiple=True))

    assert closed.reply_code == 406
    await writer.finds("q", ready=2)


async def test_a_consumer_is_told_that_its_queue_was_deleted(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1", b"2")
    await reader.prefetch(1)
    await reader.consume("q", "c")
    mail = await reader.await_mail()

    assert await writer.delete("q") == 1

    cancelled = await reader.await_method(Basic.Cancel)
    assert (cancelled.consumer_tag, cancelled.nowait) == ("c", True)
    reader.ack(mail.tag)
    assert (await writer.declare("q")).message_count == 0
    await reader.consume("q", "c")
    await reader.close()


async def test_what_was_held_of_a_deleted_queue_is_no_part_of_a_new_one(
    writer: Line, reader: Line
) -> None:
    await writer.publish("q", b"1")
    await reader.consume("q", "c")
    await reader.await_mail()
    await writer.delete("q")
    await reader.await_method(Basic.Cancel)

    await writer.declare("q")
    await reader.close()

    await writer.finds("q", ready=0, consumers=0)


async def test_purging_spares_what_is_in_somebodys_hands(writer: Line, reader: Line) -> None:
    await writer.publish("q", b"1", b"2", b"3")
    await reader.prefetch(1)
    await reader.consume("q", "c")
    mail = await reader.await_mail()

    assert await writer.purge("q") == 2

    await writer.finds("q", ready=0, consumers=1)
    reader.nack(mail.tag)
    assert (await reader.await_mail()).body == b"1"


def tag_of(mail: Mail) -> str | None:
    assert isinstance(mail.method, Basic.Deliver)
    return mail.method.consumer_tag
