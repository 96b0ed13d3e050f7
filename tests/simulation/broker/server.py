"""The broker: what clients connect to, and what operators and accidents do to it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from notifier.queue import topology
from notifier.queue.topology import Policy
from tests.simulation.broker.connection import Connection
from tests.simulation.broker.entities import DEFAULT_EXCHANGE, Entities
from tests.simulation.broker.house import House
from tests.simulation.broker.letter import Letter
from tests.simulation.broker.queues import Journal
from tests.simulation.broker.versions import V4_0, Version

DYING_RETRY_S = 180.0
"""How often the queue of a dead letter that nobody took offers it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many messages a queue holds: ready, delivered, and dead without a queue to go to."""

    ready: int
    unacked: int
    dying: int


class Broker:
    """A node of RabbitMQ without anything in it, under policies; it lives on over connections.

    `connection` is the factory of `loop.create_server`. `journal` is told in words what happens to
    connections and messages.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        version: Version = V4_0,
        policies: Sequence[Policy] = topology.POLICIES,
        journal: Journal | None = None,
    ) -> None:
        self._loop = loop
        self._entities = Entities(version, policies, loop.time, journal)
        self._house = House(loop, self._entities)
        self._faults = self._house.faults
        self._retry = loop.call_later(DYING_RETRY_S, self._retry_dying)

    def connection(self) -> Connection:
        """The broker's end of a new connection."""
        return Connection(self._house)

    def close(self) -> None:
        """End: no timer is left."""
        self._retry.cancel()
        for client in list(self._house.clients):
            client.cut()

    @property
    def is_up(self) -> bool:
        """Whether it takes connections."""
        return not self._faults.is_down

    @property
    def connections(self) -> Sequence[Connection]:
        """The connections that there are, the oldest first."""
        return [each for each in self._house.clients if isinstance(each, Connection)]

    def depths(self) -> dict[str, Depth]:
        """How many messages each queue holds."""
        return {
            name: Depth(ready=queue.ready, unacked=len(queue.unacked), dying=len(queue.dying))
            for name, queue in self._entities.queues.items()
        }

    def ready(self, queue: str) -> Sequence[Letter]:
        """What is ready in `queue`, the next first; nothing if there is no such queue."""
        found = self._entities.queues.get(queue)
        return found.letters if found else ()

    def unacked(self, queue: str) -> Sequence[Letter]:
        """What was delivered from `queue` and is not settled, in the order of delivery."""
        found = self._entities.queues.get(queue)
        return [delivery.letter for delivery in found.unacked] if found else ()

    def lay_out(self) -> None:
        """Make notifier's exchanges, queues and bindings, as far as they are missing."""
        for name in topology.EXCHANGES:
            self._entities.declare_exchange(name)
        for spec in topology.QUEUES.values():
            queue = self._entities.declare_queue(spec.name, topology.QUEUE_ARGUMENTS, "/")
            for key in spec.routing_keys:
                self._entities.bind(queue, self._entities.exchanges[spec.exchange], key)

    def put(self, queue: str, body: bytes, properties: bytes = b"\0\0") -> None:
        """Publish to `queue` by its name."""
        letter = Letter(DEFAULT_EXCHANGE, queue, properties, body)
        self._entities.queues[queue].take(letter)
        self._house.flush()

    def publish(self, exchange: str, key: str, body: bytes, properties: bytes = b"\0\0") -> bool:
        """Publish as a client with confirms does; whether a queue has it."""
        if not self.is_up or self._faults.alarm or self._faults.refuses_publishes:
            return False
        targets = self._entities.targets(exchange, key)
        letter = Letter(exchange, key, properties, body)
        taken = [target.offer(letter.copy(), self) for target in targets]
        self._house.flush()
        return bool(taken) and all(taken)

    def apply_policies(self, policies: Sequence[Policy]) -> None:
        """Put other policies into effect; none leaves the broker's own defaults."""
        self._tell("policies are changed")
        self._entities.apply(policies)
        self._house.flush()

    def purge(self, queue: str) -> int:
        """Throw away what is ready in `queue`; how many messages that were."""
        count = self._entities.queues[queue].purge()
        self._tell(f"{queue} is purged of {count} messages")
        return count

    def delete_queue(self, queue: str) -> None:
        """Delete `queue` with all that it holds; its consumers are cancelled."""
        self._tell(f"{queue} is deleted")
        self._entities.delete_queue(queue)
        self._house.flush()

    def forget_consumers(self, queue: str) -> None:
        """Serve the consumers of `queue` no more, and tell nobody."""
        found = self._entities.queues[queue]
        consumers = list(found.consumers)
        for consumer in consumers:
            found.detach(consumer)
        self._tell(f"{len(consumers)} consumers of {queue} are forgotten")

    def held_by(self, tag: str) -> Sequence[bytes]:
        """The bodies of what consumers whose tags begin so have in hand."""
        return [
            delivery.letter.body
            for queue in self._entities.queues.values()
            for delivery in queue.unacked
            if delivery.consumer is not None and delivery.consumer.tag.startswith(tag)
        ]

    def has_taken(self, queue: str, body: bytes) -> bool:
        """Whether a client ever put a message with this body into `queue`."""
        return (queue, body) in self._entities.taken

    @property
    def taken(self) -> Mapping[tuple[str, bytes], Sequence[float]]:
        """When clients put messages into queues: by the queues' names and the bodies."""
        return self._entities.taken

    def move(self, source: str, target: str) -> int:
        """Move what is ready in `source`, as a shovel does; how many messages `target` took."""
        moved, queue = 0, self._entities.queues[source]
        for _ in range(queue.ready):
            delivery = queue.fetch(acknowledges=True)
            if delivery is None:
                break
            letter = delivery.letter
            copy = Letter(
                DEFAULT_EXCHANGE, target, letter.shown(self._entities.version), letter.body
            )
            if self._entities.queues[target].offer(copy, self):
                queue.settle([delivery])
                moved += 1
            else:
                queue.give_back([delivery], is_failure=False)
        self._tell(f"{moved} messages are moved from {source} to {target}")
        self._house.flush()
        return moved

    def cut(self, connection: Connection) -> None:
        """Lose the socket of `connection`, with what is under way to the client."""
        connection.cut()
        self._house.flush()

    def restart(self, down_s: float) -> None:
        """Lose all connections, take none for so long, and come back with all that is durable."""
        self._tell(f"the broker is down for {down_s:g} s")
        self._faults.is_down = True
        for client in list(self._house.clients):
            client.cut()
        self._loop.call_later(down_s, self._come_back)

    def alarm(self, *, on: bool) -> None:
        """Take no messages: connections that publish are blocked, the others served."""
        self._tell(f"the alarm is {'on' if on else 'off'}")
        self._faults.alarm = on
        self._stir()

    def refuse_publishes(self, *, on: bool) -> None:
        """Answer what is published with a nack, as a queue without a leader does."""
        self._tell(f"publishes are {'refused' if on else 'taken again'}")
        self._faults.refuses_publishes = on

    def hold_confirms(self, *, on: bool) -> None:
        """Take what is published and do not say so; what was held is sent when this ends."""
        self._tell(f"confirms are {'held' if on else 'sent'}")
        self._faults.holds_confirms = on
        self._stir()

    def lose_confirm(self, note: Callable[[], object]) -> None:
        """Take the next message that is published with confirms, and cut its connection at once.

        `note` is called as that happens.
        """
        self._tell("the next confirm is lost")
        self._faults.confirms_to_lose.append(note)

    def _come_back(self) -> None:
        self._faults.is_down = False
        self._tell("the broker is back")
        self._offer_dying()

    def _retry_dying(self) -> None:
        self._retry = self._loop.call_later(DYING_RETRY_S, self._retry_dying)
        if self.is_up:
            self._offer_dying()

    def _offer_dying(self) -> None:
        for queue in list(self._entities.queues.values()):
            if queue.dying:
                queue.retry_dying()
        self._house.flush()

    def _stir(self) -> None:
        for client in list(self._house.clients):
            client.stir()
        self._house.flush()

    def _tell(self, what: str) -> None:
        if self._entities.journal:
            self._entities.journal(what)
