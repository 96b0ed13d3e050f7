"""Making, finding and deleting exchanges, queues and bindings."""

from collections.abc import Mapping
from types import MappingProxyType

from pamqp.base import Frame
from pamqp.commands import Exchange, Queue

from tests.simulation.broker import refusal
from tests.simulation.broker.channel import Channel, Handler

_DIRECT, _TOPIC = "direct", "topic"


def declare_exchange(channel: Channel, method: Exchange.Declare) -> None:
    entities, vhost = channel.wire.entities, channel.wire.vhost
    if method.passive:
        entities.exchange(method.exchange, vhost)
    elif method.exchange_type not in (_DIRECT, _TOPIC):
        raise refusal.not_implemented(f"exchange type '{method.exchange_type}'")
    else:
        is_topic = method.exchange_type == _TOPIC
        entities.declare_exchange(method.exchange, is_topic=is_topic)
    if not method.nowait:
        channel.answer(Exchange.DeclareOk)


def delete_exchange(channel: Channel, method: Exchange.Delete) -> None:
    channel.wire.entities.exchanges.pop(method.exchange, None)
    if not method.nowait:
        channel.answer(Exchange.DeleteOk)


def declare_queue(channel: Channel, method: Queue.Declare) -> None:
    entities, vhost = channel.wire.entities, channel.wire.vhost
    if method.passive:
        queue = entities.queue(method.queue, vhost)
    else:
        queue = entities.declare_queue(method.queue, method.arguments or {}, vhost)
    if not method.nowait:
        channel.send(Queue.DeclareOk(queue.name, queue.ready, queue.consumer_count))


def bind(channel: Channel, method: Queue.Bind) -> None:
    entities, vhost = channel.wire.entities, channel.wire.vhost
    queue = entities.queue(method.queue, vhost)
    entities.bind(queue, entities.exchange(method.exchange, vhost), method.routing_key)
    if not method.nowait:
        channel.answer(Queue.BindOk)


def unbind(channel: Channel, method: Queue.Unbind) -> None:
    entities, vhost = channel.wire.entities, channel.wire.vhost
    exchange = entities.exchange(method.exchange, vhost)
    entities.unbind(method.queue, exchange, method.routing_key)
    channel.answer(Queue.UnbindOk)


def purge(channel: Channel, method: Queue.Purge) -> None:
    count = channel.wire.entities.queue(method.queue, channel.wire.vhost).purge()
    if not method.nowait:
        channel.send(Queue.PurgeOk(message_count=count))


def delete_queue(channel: Channel, method: Queue.Delete) -> None:
    count = channel.wire.entities.delete_queue(method.queue)
    if not method.nowait:
        channel.send(Queue.DeleteOk(message_count=count))


HANDLERS: Mapping[type[Frame], Handler] = MappingProxyType(
    {
        Exchange.Declare: declare_exchange,
        Exchange.Delete: delete_exchange,
        Queue.Declare: declare_queue,
        Queue.Bind: bind,
        Queue.Unbind: unbind,
        Queue.Purge: purge,
        Queue.Delete: delete_queue,
    }
)
