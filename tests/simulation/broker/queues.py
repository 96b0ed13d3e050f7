"""A quorum queue: what it holds, who consumes from it, and in which order they are served."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol, TypeAlias

from tests.simulation.broker.letter import Letter
from tests.simulation.broker.policies import QueueRules
from tests.simulation.broker.versions import Version

_SOFT_LIMIT = 0.8
"""A full queue takes messages again once it holds no more than this part of its limit."""

Bury: TypeAlias = Callable[["Queue", Letter, str], bool]
Journal: TypeAlias = Callable[[str], None]


class Receiver(Protocol):
    """The channel of a consumer."""

    def deliver(self, delivery: "Delivery", consumer: "Consumer") -> None: ...
    def cancelled(self, consumer: "Consumer") -> None: ...


@dataclass(slots=True, eq=False)
class Consumer:
    """Who is sent messages: `credit` is how many more it takes, None for any number."""

    tag: str
    queue: "Queue"
    receiver: Receiver
    credit: int | None
    acknowledges: bool = True
    """Without, what was sent is settled."""
    number: int = field(default_factory=count().__next__)
    holds: int = 0
    is_waiting: bool = False
    is_gone: bool = False


@dataclass(slots=True, eq=False)
class Delivery:
    """A message in somebody's hands: a consumer's, or none's if it was fetched."""

    queue: "Queue"
    letter: Letter
    consumer: Consumer | None


@dataclass(slots=True, eq=False)
class Queue:
    """Serves what came back before what is new, and consumers in turn."""

    name: str
    arguments: dict[str, object]
    version: Version
    rules: QueueRules
    bury: Bury
    journal: Journal | None = None
    consumers: list[Consumer] = field(default_factory=list)
    unacked: dict[Delivery, None] = field(default_factory=dict)
    dying: list[tuple[Letter, str]] = field(default_factory=list)
    """Dead letters that no queue took yet, and why they are dead: neither ready nor unacked."""
    _fetched: int = 0
    _lingering: set[Consumer] = field(default_factory=set)
    """Consumers that are gone, and hold something."""
    _returned: deque[Letter] = field(default_factory=deque)
    _fresh: deque[Letter] = field(default_factory=deque)
    _waiting: deque[Consumer] = field(default_factory=deque)
    _publishers: set[object] = field(default_factory=set)
    _refused: set[object] = field(default_factory=set)
    """Those publishers that were told that it is full, and not yet that it no longer is."""

    @property
    def ready(self) -> int:
        """How many messages nobody has."""
        return len(self._returned) + len(self._fresh)

    @property
    def consumer_count(self) -> int:
        """How many consumers RabbitMQ tells of.

        Those that are gone are among them until they have settled, and so is who fetched a message.
        """
        return len(self.consumers) + len(self._lingering) + self._fetched

    @property
    def letters(self) -> Sequence[Letter]:
        """What is ready, in the order of serving."""
        return [*self._returned, *self._fresh]

    def offer(self, letter: Letter, publisher: object) -> bool:
        """Take a message, or refuse it: the queue is full, and this publisher knows."""
        if publisher not in self._publishers:
            self._publishers.add(publisher)
            if self.rules.refuses and self._is_over():
                self._refused.add(publisher)
        if publisher in self._refused:
            return False
        self.take(letter)
        return True

    def take(self, letter: Letter) -> None:
        """Take a message whatever the limit."""
        self._fresh.append(letter)
        self._serve()

    def forget(self, publisher: object) -> None:
        """Know a publisher no more."""
        self._publishers.discard(publisher)
        self._refused.discard(publisher)

    def attach(self, consumer: Consumer) -> None:
        """Serve one more consumer, after those that wait."""
        self.consumers.append(consumer)
        self._line_up(consumer)
        self._serve()

    def detach(self, consumer: Consumer) -> None:
        """Serve a consumer no more; it keeps what it has."""
        consumer.is_gone = True
        if consumer in self.consumers:
            self.consumers.remove(consumer)
        if consumer.holds:
            self._lingering.add(consumer)

    def fetch(self, *, acknowledges: bool) -> Delivery | None:
        """Hand out the first message to somebody who is no consumer."""
        letter = self._next()
        if letter is None:
            return None
        delivery = Delivery(self, letter, None)
        if acknowledges:
            self.unacked[delivery] = None
            self._fetched += 1
        self._judge_length()
        return delivery

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        """Let go of what was handled."""
        for delivery in deliveries:
            if self._is_out(delivery):
                self._tell_of_end(delivery)
        self._serve()

    def give_back(self, deliveries: Iterable[Delivery], *, is_failure: bool) -> None:
        """Take back what a client does not want; too often, and it is dead.

        It is served first in a queue with a delivery limit, and last in one without.
        """
        has_limit = self.rules.delivery_limit is not None
        is_failure = is_failure or self.version.counts_nacks
        for delivery in deliveries:
            if self._is_out(delivery):
                self._return(
                    delivery.letter,
                    to=self._returned if has_limit else self._fresh,
                    is_failure=is_failure,
                )
        self._serve()

    def recover(self, deliveries: Iterable[Delivery]) -> None:
        """Take back what a lost channel had, to be served first; too often, and it is dead."""
        for delivery in deliveries:
            if self._is_out(delivery):
                self._return(delivery.letter, to=self._returned, is_failure=True)
        self._serve()

    def discard(self, deliveries: Iterable[Delivery]) -> None:
        """Dead-letter what was refused."""
        for delivery in deliveries:
            if self._is_out(delivery):
                self.kill(delivery.letter, "rejected")
        self._serve()

    def kill(self, letter: Letter, reason: str) -> None:
        """Dead-letter a message that is in the queue no more."""
        if self.journal:
            self.journal(f"{self.name}: {letter.id} is dead ({reason})")
        if not self.bury(self, letter, reason):
            self.dying.append((letter, reason))

    def retry_dying(self) -> None:
        """Offer dead letters again that nobody took."""
        waiting, self.dying = self.dying, []
        for letter, reason in waiting:
            self.kill(letter, reason)
        self._serve()

    def purge(self) -> int:
        """Throw away what is ready; how many they were."""
        count = self.ready
        self._returned.clear()
        self._fresh.clear()
        self._judge_length()
        return count

    def obey(self, rules: QueueRules) -> None:
        """Take new rules."""
        self.rules = rules
        if not rules.refuses or rules.max_length is None:
            self._refused.clear()
        self._serve()

    def close(self) -> None:
        """End: it is deleted. What it holds is gone, and its consumers are told."""
        consumers, self.consumers = self.consumers, []
        self.purge()
        self.unacked.clear()
        self.dying.clear()
        for consumer in consumers:
            consumer.is_gone = True
            consumer.receiver.cancelled(consumer)

    def _is_out(self, delivery: Delivery) -> bool:
        """Take it out of the hands it is in; False if it was lost with its queue."""
        if delivery not in self.unacked:
            return False
        del self.unacked[delivery]
        if delivery.consumer is None:
            self._fetched -= 1
        else:
            self._free(delivery.consumer)
        return True

    def _free(self, consumer: Consumer) -> None:
        consumer.holds -= 1
        if consumer.is_gone and not consumer.holds:
            self._lingering.discard(consumer)
        if consumer.credit is not None:
            consumer.credit += 1
            self._line_up(consumer)

    def _return(self, letter: Letter, *, to: deque[Letter], is_failure: bool) -> None:
        letter.returns += 1
        letter.failures += is_failure
        limit = self.rules.delivery_limit
        if limit is not None and letter.failures > limit:
            self.kill(letter, "delivery_limit")
            return
        if self.journal:
            self.journal(f"{self.name}: {letter.id} is back ({letter.failures} failures)")
        to.append(letter)

    def _line_up(self, consumer: Consumer) -> None:
        if not consumer.is_waiting and not consumer.is_gone and consumer.credit != 0:
            consumer.is_waiting = True
            self._waiting.append(consumer)

    def _serve(self) -> None:
        while self._waiting and (self._returned or self._fresh):
            consumer = self._waiting.popleft()
            consumer.is_waiting = False
            if not consumer.is_gone and consumer.credit != 0:
                self._deliver(consumer)
        self._judge_length()

    def _deliver(self, consumer: Consumer) -> None:
        letter = self._next()
        assert letter is not None
        if consumer.credit is not None:
            consumer.credit -= 1
        self._line_up(consumer)
        delivery = Delivery(self, letter, consumer)
        if consumer.acknowledges:
            self.unacked[delivery] = None
            consumer.holds += 1
        consumer.receiver.deliver(delivery, consumer)

    def _next(self) -> Letter | None:
        waiting = self._returned or self._fresh
        return waiting.popleft() if waiting else None

    def _judge_length(self) -> None:
        """Tell publishers that it is full, or no longer; or drop what is too much."""
        limit = self.rules.max_length
        if limit is None:
            return
        if not self.rules.refuses:
            self._drop_head(limit)
        elif self._is_over():
            self._refused |= self._publishers
        elif self._refused and self._length() <= int(limit * _SOFT_LIMIT):
            self._refused.clear()

    def _drop_head(self, limit: int) -> None:
        while self.ready > limit:
            letter = self._next()
            assert letter is not None
            self.kill(letter, "maxlen")

    def _is_over(self) -> bool:
        return self.rules.max_length is not None and self._length() > self.rules.max_length

    def _length(self) -> int:
        return self.ready + len(self.dying)

    def _tell_of_end(self, delivery: Delivery) -> None:
        if self.journal:
            by = delivery.consumer.tag if delivery.consumer else "who fetched it"
            self.journal(f"{self.name}: {delivery.letter.id} is acknowledged by {by}")


def together(deliveries: Collection[Delivery]) -> Iterable[tuple[Queue, Sequence[Delivery]]]:
    """Deliveries by their queues, in their order."""
    by_queue: dict[Queue, list[Delivery]] = {}
    for delivery in deliveries:
        by_queue.setdefault(delivery.queue, []).append(delivery)
    return by_queue.items()


def in_order_of_recovery(deliveries: Iterable[Delivery], version: Version) -> Sequence[Delivery]:
    """The order in which queues take back what a lost channel had: consumer by consumer."""
    if version.recovers_by_tag:
        return sorted(deliveries, key=_tag_of)
    return sorted(deliveries, key=_number_of)


def _tag_of(delivery: Delivery) -> str:
    return delivery.consumer.tag if delivery.consumer else ""


def _number_of(delivery: Delivery) -> int:
    return delivery.consumer.number if delivery.consumer else 0
