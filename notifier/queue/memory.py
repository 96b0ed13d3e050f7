"""The queue of the one-process mode: in memory, and otherwise like the broker.

Messages are encoded, wait in a first-in-first-out line per queue, are unacknowledged while they
are handled, and go back or to the dead queue by the same rules. What is in it ends with the
process; the relay publishes again what the database still waits for.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog

from notifier.errors import PublishError
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Handler, QueueDepth
from notifier.queue import message, topology
from notifier.queue.handling import HANDLER_END_S, Backoff, handle
from notifier.queue.message import Malformed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    body: bytes
    headers: Mapping[str, str]
    lane: Lane


class _Line:
    """One queue. `take` waits for a message; the number of permits is the number of messages."""

    def __init__(self, max_length: int | None) -> None:
        self.max_length = max_length
        self._messages: deque[_Stored] = deque()
        self._permits = asyncio.Semaphore(0)

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, stored: _Stored) -> PublishError | None:
        if self.max_length is not None and len(self) >= self.max_length:
            return PublishError("the queue is full")
        self.add(stored)
        return None

    def add(self, stored: _Stored) -> None:
        self._messages.append(stored)
        self._permits.release()

    def put_back(self, stored: _Stored) -> None:
        self._messages.appendleft(stored)
        self._permits.release()

    async def take(self) -> _Stored:
        await self._permits.acquire()
        return self._messages.popleft()

    async def take_all(self) -> list[_Stored]:
        return [await self.take() for _ in range(len(self))]


class _Consumer:
    """Takes one message at a time. Ending `_taking` leaves the message in hand alone."""

    def __init__(
        self, line: _Line, process: Callable[[_Stored], Coroutine[None, None, None]]
    ) -> None:
        self._line = line
        self._process = process
        self._in_hand: asyncio.Task[None] | None = None
        self._taking = asyncio.create_task(self._take())

    async def pause(self) -> None:
        self._taking.cancel()
        await asyncio.wait({self._taking})

    def resume(self) -> None:
        self._taking = asyncio.create_task(self._take())

    async def close(self) -> None:
        await self.pause()
        if self._in_hand and not self._in_hand.done():
            self._in_hand.cancel()
            await asyncio.wait({self._in_hand}, timeout=HANDLER_END_S)

    def problem(self) -> str | None:
        return "a consumer ended" if self._taking.done() else None

    async def _take(self) -> None:
        while True:
            if self._in_hand is not None:
                await asyncio.wait({self._in_hand})
            stored = await self._line.take()
            self._in_hand = asyncio.create_task(self._process(stored))
            self._in_hand.add_done_callback(partial(self._return_unstarted, stored))

    def _return_unstarted(self, stored: _Stored, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._line.put_back(stored)


class MemorySubscription:
    """Consumers of one queue of a `MemoryQueue`."""

    def __init__(self, consumers: Sequence[_Consumer], backoff: Backoff) -> None:
        self._consumers = consumers
        self._backoff = backoff
        self._is_paused = False

    @property
    def consuming(self) -> int:
        """How many consumers take messages."""
        return 0 if self._is_paused else len(self._consumers)

    async def pause(self) -> None:
        self._is_paused = True
        await asyncio.gather(*(consumer.pause() for consumer in self._consumers))
        self._backoff.end()

    async def resume(self) -> None:
        self._backoff.begin()
        self._is_paused = False
        for consumer in self._consumers:
            consumer.resume()

    async def close(self) -> None:
        self._is_paused = True
        await asyncio.gather(*(consumer.close() for consumer in self._consumers))

    def problem(self) -> str | None:
        if self._is_paused:
            return None
        return next((found for c in self._consumers if (found := c.problem())), None)


class MemoryQueue:
    """A message broker in this process's memory.

    `max_length` is the number of messages that may wait in one queue; more are refused with
    PublishError. Dead queues have no such limit.
    """

    def __init__(self, *, max_length: int | None = None) -> None:
        work = {spec.name: _Line(max_length) for spec in topology.WORK_QUEUES}
        dead = {spec.name: _Line(None) for spec in topology.DEAD_QUEUES}
        self._lines = work | dead
        self._subscriptions: defaultdict[str, list[MemorySubscription]] = defaultdict(list)

    async def publish(self, envelopes: Sequence[Envelope]) -> Sequence[PublishError | None]:
        return [self._put(topology.work_queue(each.channel, each.lane), each) for each in envelopes]

    async def bury(self, envelopes: Sequence[Envelope]) -> Sequence[PublishError | None]:
        return [self._put(topology.dead_queue(each.channel), each) for each in envelopes]

    async def subscribe(
        self, channel: Channel, lane: Lane, handler: Handler, *, consumers: int
    ) -> MemorySubscription:
        name = topology.work_queue(channel, lane)
        line = self._lines[name]
        backoff = Backoff()
        process = partial(self._process, line, channel, handler, backoff)
        taking = [_Consumer(line, process) for _ in range(consumers)]
        subscription = MemorySubscription(taking, backoff)
        self._subscriptions[name].append(subscription)
        return subscription

    async def depths(self) -> Sequence[QueueDepth]:
        return list(map(self._depth, self._lines))

    async def depth(self, channel: Channel, lane: Lane) -> QueueDepth | None:
        return self._depth(topology.work_queue(channel, lane))

    async def sweep_dead(
        self,
        channel: Channel,
        stale: Callable[[Sequence[Envelope]], Awaitable[Collection[Envelope]]],
    ) -> Sequence[Envelope]:
        line = self._lines[topology.dead_queue(channel)]
        kept = letters = await line.take_all()
        try:
            self._send_home(letters, channel)
            kept = letters = [letter for letter in letters if not _is_astray(letter, channel)]
            envelopes = [found for letter in letters if (found := _read(letter))]
            picked = frozenset(await stale(envelopes)) if envelopes else frozenset()
            kept = _without(picked, letters)
        finally:
            for letter in reversed(kept):
                line.put_back(letter)
        return [envelope for envelope in envelopes if envelope in picked]

    def _send_home(self, letters: Sequence[_Stored], channel: Channel) -> None:
        for letter in letters:
            if _is_astray(letter, channel) and (found := _read(letter)):
                self._lines[topology.dead_queue(found.channel)].add(letter)

    async def prove(self) -> None:
        return

    async def ping(self) -> None:
        return

    def inject(self, queue: str, body: bytes, *, lane: Lane = Lane.NORMAL) -> None:
        """Put raw bytes into `queue`, as anybody may do on a broker."""
        self._lines[queue].add(_Stored(body=body, headers={}, lane=lane))

    def ready(self, queue: str) -> int:
        """How many messages wait in `queue`."""
        return len(self._lines[queue])

    def limit(self, queue: str, max_length: int) -> None:
        """Let at most `max_length` messages wait in `queue`."""
        self._lines[queue].max_length = max_length

    async def move(self, source: str, target: str) -> int:
        """Move all messages from one queue to another, as the management UI does."""
        moved = await self._lines[source].take_all()
        for stored in moved:
            self._lines[target].add(stored)
        return len(moved)

    def _depth(self, name: str) -> QueueDepth:
        consumers = sum(each.consuming for each in self._subscriptions[name])
        return topology.QUEUES[name].depth(len(self._lines[name]), consumers)

    def _put(self, queue: str, envelope: Envelope) -> PublishError | None:
        return self._lines[queue].put(_store(envelope))

    async def _process(
        self, line: _Line, channel: Channel, handler: Handler, backoff: Backoff, stored: _Stored
    ) -> None:
        envelope = _decode(stored, channel)
        if isinstance(envelope, Malformed):
            log.error("queue.unparsable", channel=channel.value, reason=envelope.reason)
            settlement = Settlement.BURY
        else:
            settlement = await handle(handler, envelope)
            with suppress(asyncio.CancelledError):
                await backoff.hold(envelope, settlement)
        if settlement is Settlement.BURY:
            self._lines[topology.dead_queue(channel)].add(stored)
        elif settlement is not Settlement.ACK:
            line.put_back(stored)


def _store(envelope: Envelope) -> _Stored:
    return _Stored(
        body=message.encode(envelope), headers=message.headers(envelope), lane=envelope.lane
    )


def _decode(stored: _Stored, channel: Channel) -> Envelope | Malformed:
    return message.decode(stored.body, channel=channel, lane=stored.lane, headers=stored.headers)


def _read(stored: _Stored) -> Envelope | None:
    found = message.decode_any(stored.body, lane=stored.lane, headers=stored.headers)
    return None if isinstance(found, Malformed) else found


def _is_astray(stored: _Stored, channel: Channel) -> bool:
    found = _read(stored)
    return found is not None and found.channel is not channel


def _without(picked: Collection[Envelope], letters: Sequence[_Stored]) -> list[_Stored]:
    """Those letters that were not picked, and one for each notification and attempt."""
    kept: list[_Stored] = []
    failures: set[tuple[UUID, int]] = set()
    for letter in letters:
        envelope = _read(letter)
        failure = envelope and (envelope.id, envelope.attempt)
        if envelope in picked or failure in failures:
            continue
        kept.append(letter)
        if failure:
            failures.add(failure)
    return kept
