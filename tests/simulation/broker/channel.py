"""One channel: what is open on it, and what it owes its client."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from pamqp.base import Frame
from pamqp.commands import Basic
from pamqp.commands import Channel as ChannelMethod

from tests.simulation.broker import frames
from tests.simulation.broker.entities import Entities
from tests.simulation.broker.faults import Faults
from tests.simulation.broker.publishing import Confirms, Incoming
from tests.simulation.broker.queues import Consumer, Delivery, in_order_of_recovery, together
from tests.simulation.broker.refusal import Refusal

Handler: TypeAlias = Callable[["Channel", Any], None]


class Wire(Protocol):
    """The connection of a channel."""

    name: str
    vhost: str
    frame_max: int
    hears_cancels: bool
    entities: Entities
    faults: Faults
    send: Callable[[bytes], None]
    confirm_later: Callable[["Channel"], None]
    cut: Callable[[], None]


class Channel:
    """An open channel; `is_closing` from when we closed it until the client has heard."""

    def __init__(self, number: int, wire: Wire) -> None:
        self.number = number
        self.wire = wire
        self.is_closing = False
        self.prefetch = 0
        self.prefetch_is_shared = False
        self.consumers: dict[str, Consumer] = {}
        self.unacked: dict[int, Delivery] = {}
        self.confirms: Confirms | None = None
        self.incoming: Incoming | None = None
        self._last_tag = 0

    def send(self, method: Frame) -> None:
        """Send a method."""
        self.wire.send(frames.marshalled(self.number, method))

    def answer(self, method: type[Frame]) -> None:
        """Send a method that says no more than its name."""
        self.wire.send(frames.plain(self.number, method))

    def send_content(self, method: bytes, properties: bytes, body: bytes) -> None:
        """Send an encoded method that carries a message."""
        content = frames.content(self.number, properties, body, self.wire.frame_max)
        self.wire.send(method + content)

    def next_tag(self, delivery: Delivery, *, acknowledges: bool, to: str) -> int:
        """Number a delivery to `to`."""
        self._last_tag += 1
        if acknowledges:
            self.unacked[self._last_tag] = delivery
        if journal := self.wire.entities.journal:
            name, letter = delivery.queue.name, delivery.letter
            journal(f"{name}: {letter.id} to {to} ({self._last_tag})")
        return self._last_tag

    def deliver(self, delivery: Delivery, consumer: Consumer) -> None:
        tag = self.next_tag(delivery, acknowledges=consumer.acknowledges, to=consumer.tag)
        letter = delivery.letter
        method = frames.delivery(
            self.number, consumer.tag, tag, again=letter.is_again, address=letter.address
        )
        self.send_content(method, letter.shown(delivery.queue.version), letter.body)

    def cancelled(self, consumer: Consumer) -> None:
        self.consumers.pop(consumer.tag, None)
        if self.wire.hears_cancels:
            self.send(Basic.Cancel(consumer_tag=consumer.tag, nowait=True))

    def refuse(self, refused: Refusal, index: int) -> None:
        """Close it for what the method of this index asked: what is unacknowledged goes back."""
        self.end()
        self.is_closing = True
        class_id, method_id = divmod(index, 1 << 16)
        self.send(ChannelMethod.Close(refused.code, refused.text, class_id, method_id))

    def end(self) -> None:
        """Give up consumers and what they have."""
        for consumer in self.consumers.values():
            consumer.queue.detach(consumer)
        self._return_all()
        for queue in self.wire.entities.queues.values():
            queue.forget(self)
        self.consumers = {}
        self.confirms = self.incoming = None

    def _return_all(self) -> None:
        held, self.unacked = self.unacked, {}
        for queue, deliveries in together(
            in_order_of_recovery(held.values(), self.wire.entities.version)
        ):
            queue.recover(deliveries)

    def named(self, tag: int, *, multiple: bool) -> Sequence[Delivery] | None:
        """Take the deliveries that a client names out of its hands; None if there is none."""
        if not multiple:
            found = self.unacked.pop(tag, None)
            return None if found is None else [found]
        if tag and tag not in self.unacked:
            return None
        tags = [each for each in self.unacked if not tag or each <= tag]
        return [self.unacked.pop(each) for each in tags]
