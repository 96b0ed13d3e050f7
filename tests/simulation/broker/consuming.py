"""Consuming: who is sent messages, and what becomes of them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from pamqp.base import Frame
from pamqp.commands import Basic

from tests.simulation.broker import frames, refusal
from tests.simulation.broker.channel import Channel, Handler
from tests.simulation.broker.queues import Consumer, Delivery, Queue, together

Verdict: TypeAlias = Callable[[Queue, Sequence[Delivery]], None]


def limit(channel: Channel, method: Basic.Qos) -> None:
    channel.prefetch = method.prefetch_count
    channel.prefetch_is_shared = method.global_
    channel.answer(Basic.QosOk)


def consume(channel: Channel, method: Basic.Consume) -> None:
    queue = channel.wire.entities.queue(method.queue, channel.wire.vhost)
    tag = method.consumer_tag or f"amq.ctag-{channel.number}-{len(channel.consumers) + 1}"
    if tag in channel.consumers:
        raise refusal.not_allowed(f"attempt to reuse consumer tag '{tag}'")
    if channel.prefetch_is_shared and not queue.version.shares_prefetch:
        raise refusal.not_implemented(f"queue '{queue.name}' does not support global qos")
    acknowledges = not method.no_ack
    credit = channel.prefetch if acknowledges and channel.prefetch else None
    consumer = Consumer(tag, queue, channel, credit, acknowledges=acknowledges)
    channel.consumers[tag] = consumer
    if not method.nowait:
        channel.send(Basic.ConsumeOk(consumer_tag=tag))
    queue.attach(consumer)


def cancel(channel: Channel, method: Basic.Cancel) -> None:
    consumer = channel.consumers.pop(method.consumer_tag or "", None)
    if consumer is not None:
        consumer.queue.detach(consumer)
    if not method.nowait:
        channel.send(Basic.CancelOk(consumer_tag=method.consumer_tag))


def get(channel: Channel, method: Basic.Get) -> None:
    queue = channel.wire.entities.queue(method.queue, channel.wire.vhost)
    acknowledges = not method.no_ack
    delivery = queue.fetch(acknowledges=acknowledges)
    if delivery is None:
        channel.answer(Basic.GetEmpty)
        return
    letter = delivery.letter
    found = Basic.GetOk(
        delivery_tag=channel.next_tag(delivery, acknowledges=acknowledges, to="who fetches it"),
        redelivered=letter.is_again,
        exchange=letter.exchange,
        routing_key=letter.routing_key,
        message_count=queue.ready,
    )
    encoded = frames.marshalled(channel.number, found)
    channel.send_content(encoded, letter.shown(queue.version, is_fetched=True), letter.body)


def settled(channel: Channel, payload: bytes) -> bool:
    """Do as a method says if it is an ack, a nack or a reject; False if it is another.

    Raises:
        Refusal: the client has no such message.
    """
    if len(payload) != frames.settling.size:
        return False
    index, tag, bits = frames.settling.unpack(payload)
    if index not in _SETTLING:
        return False
    _settle(channel, index, tag, bits)
    return True


def _settle(channel: Channel, index: int, tag: int, bits: int) -> None:
    if index == frames.REJECT:
        multiple, requeue = False, bool(bits & 1)
    else:
        multiple, requeue = bool(bits & 1), bool(bits & 2)
    deliveries = channel.named(tag, multiple=multiple)
    if deliveries is None:
        raise refusal.precondition_failed(f"unknown delivery tag {tag}")
    verdict = _VERDICTS[index, requeue]
    if len(deliveries) == 1:
        verdict(deliveries[0].queue, deliveries)
        return
    for queue, theirs in together(deliveries):
        verdict(queue, theirs)


def _return(queue: Queue, deliveries: Sequence[Delivery]) -> None:
    queue.give_back(deliveries, is_failure=False)


def _fail(queue: Queue, deliveries: Sequence[Delivery]) -> None:
    queue.give_back(deliveries, is_failure=True)


_VERDICTS: Mapping[tuple[int, bool], Verdict] = MappingProxyType(
    {
        (frames.ACK, False): Queue.settle,
        (frames.NACK, False): Queue.discard,
        (frames.NACK, True): _return,
        (frames.REJECT, False): Queue.discard,
        (frames.REJECT, True): _fail,
    }
)

_SETTLING = frozenset((frames.ACK, frames.NACK, frames.REJECT))

HANDLERS: Mapping[type[Frame], Handler] = MappingProxyType(
    {
        Basic.Qos: limit,
        Basic.Consume: consume,
        Basic.Cancel: cancel,
        Basic.Get: get,
    }
)
