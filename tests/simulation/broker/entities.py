"""Exchanges, queues and bindings, and the way of a message to its queues."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from notifier.queue.topology import Policy
from tests.simulation.broker import refusal
from tests.simulation.broker.deaths import dead_letter
from tests.simulation.broker.letter import Letter
from tests.simulation.broker.policies import rules_of
from tests.simulation.broker.queues import Journal, Queue
from tests.simulation.broker.versions import Version

Arguments = Mapping[str, object]

DEFAULT_EXCHANGE = ""
"""Routes to the queue whose name is the routing key."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A direct or a topic exchange, with its bindings: the queues' names by routing key."""

    name: str
    is_topic: bool = False
    bindings: dict[str, dict[str, None]] = field(default_factory=dict)

    def bound(self, key: str) -> Collection[str]:
        """The names of the queues that a message with this key goes to, each once."""
        if not self.is_topic:
            return self.bindings.get(key, {})
        matching = [names for pattern, names in self.bindings.items() if _matches(pattern, key)]
        return dict.fromkeys(name for names in matching for name in names)


class Entities:
    """All that is durable. `vhost` is only a word in answers: any is served by the same queues."""

    def __init__(
        self,
        version: Version,
        policies: Sequence[Policy],
        now_s: Callable[[], float],
        journal: Journal | None,
    ) -> None:
        self.version = version
        self.journal = journal
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self.taken: defaultdict[tuple[str, bytes], list[float]] = defaultdict(list)
        """When clients put messages into queues: by the queues' names and the bodies."""
        self._policies = policies
        self._now_s = now_s

    def note_taken(self, queue: str, body: bytes) -> None:
        """Keep that a client put a message with this body into `queue`."""
        self.taken[queue, body].append(self._now_s())

    def apply(self, policies: Sequence[Policy]) -> None:
        """Put other policies in the place of those that are in effect."""
        self._policies = policies
        for queue in self.queues.values():
            queue.obey(rules_of(queue.name, policies, self.version))

    def exchange(self, name: str, vhost: str) -> Exchange:
        """Raises Refusal: there is none of this name."""
        if name not in self.exchanges:
            raise refusal.not_found("exchange", name, vhost)
        return self.exchanges[name]

    def queue(self, name: str, vhost: str) -> Queue:
        """Raises Refusal: there is none of this name."""
        if name not in self.queues:
            raise refusal.not_found("queue", name, vhost)
        return self.queues[name]

    def declare_exchange(self, name: str, *, is_topic: bool = False) -> Exchange:
        """Make an exchange if it is missing."""
        return self.exchanges.setdefault(name, Exchange(name, is_topic=is_topic))

    def declare_queue(self, name: str, arguments: Arguments, vhost: str) -> Queue:
        """Make a queue if it is missing. Raises Refusal: it is there with other arguments."""
        found = self.queues.get(name)
        if found is not None:
            _require_same(found, arguments, vhost)
            return found
        rules = rules_of(name, self._policies, self.version)
        queue = Queue(name, dict(arguments), self.version, rules, self._bury, self.journal)
        self.queues[name] = queue
        return queue

    def bind(self, queue: Queue, exchange: Exchange, key: str) -> None:
        """Let an exchange send the messages with this key to a queue."""
        exchange.bindings.setdefault(key, {})[queue.name] = None

    def unbind(self, queue: str, exchange: Exchange, key: str) -> None:
        """Take back a binding, if it is there."""
        exchange.bindings.get(key, {}).pop(queue, None)

    def delete_queue(self, name: str) -> int:
        """Delete a queue with its bindings; how many messages were ready in it."""
        queue = self.queues.pop(name, None)
        if queue is None:
            return 0
        for exchange in self.exchanges.values():
            for bound in exchange.bindings.values():
                bound.pop(name, None)
        count = queue.ready
        queue.close()
        return count

    def targets(self, exchange: str, key: str) -> Sequence[Queue]:
        """The queues that a message with this key goes to."""
        if exchange == DEFAULT_EXCHANGE:
            return [self.queues[key]] if key in self.queues else []
        there = self.exchanges.get(exchange)
        bound = there.bound(key) if there else ()
        return [self.queues[name] for name in bound]

    def _bury(self, source: Queue, letter: Letter, reason: str) -> bool:
        """Dead-letter; False if the message has to stay until somebody takes it."""
        rules = source.rules
        if rules.dead_exchange is None:
            return True
        dead = dead_letter(
            letter,
            source.name,
            reason,
            rules=rules,
            at_s=self._now_s(),
            version=self.version,
        )
        targets = self.targets(dead.exchange, dead.routing_key)
        if not rules.keeps_dying:
            for target in targets:
                target.take(dead.copy())
            return True
        taken = [target.offer(dead.copy(), source) for target in targets]
        return bool(taken) and all(taken)


def _matches(pattern: str, key: str) -> bool:
    """Whether a key is of a topic: `*` is one word of it, and `#` any number."""
    return _words_match(pattern.split("."), key.split("."))


def _words_match(pattern: Sequence[str], key: Sequence[str]) -> bool:
    if not pattern:
        return not key
    if pattern[0] == "#":
        return any(_words_match(pattern[1:], key[at:]) for at in range(len(key) + 1))
    is_first = bool(key) and pattern[0] in ("*", key[0])
    return is_first and _words_match(pattern[1:], key[1:])


def _require_same(queue: Queue, arguments: Arguments, vhost: str) -> None:
    for name in sorted({*queue.arguments, *arguments}):
        given, current = arguments.get(name), queue.arguments.get(name)
        if given != current:
            raise refusal.precondition_failed(
                f"inequivalent arg '{name}' for queue '{queue.name}' in vhost '{vhost}':"
                f" received {_words(given)} but current is {_words(current)}"
            )


def _words(value: object) -> str:
    return "none" if value is None else f"the value '{value}' of type 'longstr'"
