"""Publishing what the database holds: confirmed by the broker, then marked as published."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice, product
from typing import NamedTuple, TypeAlias

import structlog

from notifier.errors import NotifierError, PublishError
from notifier.intake.ports import Publications, Submission
from notifier.intake.turns import Turns
from notifier.intake.windows import WINDOWS, Window
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Queue, WorkQueue

log = structlog.get_logger(__name__)

Publish: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[Sequence[PublishError | None]]]
Mark: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[None]]

MANY = 16


def queue_of(sent: Envelope | Submission) -> WorkQueue:
    """Return the queue that it goes into."""
    return (sent.channel, sent.lane)


class _Offer(NamedTuple):
    envelope: Envelope
    until_s: float


class _Line:
    """What waits to be put into one queue."""

    def __init__(self, queue: WorkQueue, window: Window) -> None:
        self.channel, self.lane = queue
        self.window = window
        self.waiting: Turns[_Offer] = Turns()
        self.running: set[asyncio.Task[None]] = set()
        self.looking = asyncio.Lock()
        self.room = _unseen(window)
        """How many more go in before its depth is looked at."""
        self.is_full = False
        self.moved = asyncio.Event()

    def next_batch(self, limit: int) -> list[Envelope]:
        """Take up to `limit` of those whose time is not over."""
        now_s = asyncio.get_running_loop().time()
        batch: list[Envelope] = []
        while self.waiting and len(batch) < min(limit, self.room):
            offer = self.waiting.take()
            if now_s < offer.until_s:
                batch.append(offer.envelope)
        self.room -= len(batch)
        self.move()
        return batch

    def drop_late(self) -> None:
        """Forget those whose time is over."""
        now_s = asyncio.get_running_loop().time()
        self.waiting.drop_while(lambda offer: offer.until_s <= now_s)

    def move(self) -> None:
        """Let those who are held back look again."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()


class Publisher:
    """Publishes envelopes and marks them; what fails is left to the relay, never raised.

    What is offered waits in a line for its queue, where services take turns, and goes in batches
    of up to `max_batch`: while one is under way the next gathers, and once `MANY` gathered, it
    goes beside the first. No line waits for another. A line whose queue's window is full looks
    again and again.

    `offer` never waits: what is more than a service's share of `max_waiting` in a line it leaves
    to the relay, so that accepting notifications costs the same whatever the broker does. What
    was offered and did not get its turn within `patience_s` is left to the relay as well; shorter
    than the store's grace, it keeps the two from publishing the same.

    From `crowd` waiting envelopes on `keep_up` holds back whoever has his share of them, for
    `hold_back_s` at most: who accepts no faster than is published leaves nothing to the relay.
    """

    def __init__(
        self,
        publications: Publications,
        queue: Queue,
        *,
        windows: Mapping[Lane, Window] = WINDOWS,
        max_batch: int = 256,
        max_waiting: int = 5_000,
        patience_s: float = 4,
        crowd: int = 1_000,
        hold_back_s: float = 0.25,
    ) -> None:
        self._publications = publications
        self._queue = queue
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._patience_s = patience_s
        self._crowd = crowd
        self._hold_back_s = hold_back_s
        self._is_draining = False
        self._lines = {
            (channel, lane): _Line((channel, lane), windows[lane])
            for channel, lane in product(Channel, Lane)
        }

    def offer(self, envelopes: Iterable[Envelope], *, service: str) -> None:
        """Publish what `service` sends in the background, as far as there is room."""
        until_s = asyncio.get_running_loop().time() + self._patience_s
        for queue, offered in groupby(envelopes, key=queue_of):
            line = self._lines[queue]
            room = self._share(line, service)
            line.waiting.put(service, (_Offer(each, until_s) for each in islice(offered, room)))
            if not line.running or (len(line.running) == 1 and len(line.waiting) >= MANY):
                task = asyncio.create_task(self._publish_waiting(line))
                line.running.add(task)
                task.add_done_callback(line.running.discard)

    async def keep_up(self, service: str, queues: Iterable[WorkQueue]) -> None:
        """Wait a moment if `service` crowds a line to one of these queues."""
        lines = {self._lines[queue] for queue in queues}
        if not any(self._is_crowded(line, service) for line in lines):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._hold_back_s):
                for line in lines:
                    while self._is_crowded(line, service):
                        await line.moved.wait()

    async def publish(self, envelopes: Sequence[Envelope]) -> int:
        """Publish all of them; returns how many the broker confirmed."""
        return await self._hand_over(
            envelopes, self._queue.publish, self._publications.mark_published
        )

    async def bury(self, envelopes: Sequence[Envelope]) -> int:
        """Put the dead letters of failed notifications into their dead queues."""
        return await self._hand_over(envelopes, self._queue.bury, self._publications.mark_buried)

    async def drain(self, timeout_s: float) -> None:
        """Wait for what was offered, at most `timeout_s`; the relay has the rest."""
        self._is_draining = True
        if running := [task for line in self._lines.values() for task in line.running]:
            _, late = await asyncio.wait(running, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._is_draining = False

    def _share(self, line: _Line, service: str) -> int:
        """How many more of a service may wait."""
        waiting = line.waiting.of(service)
        owners = line.waiting.owners + (0 if waiting else 1)
        return max(self._max_waiting // owners - waiting, 0)

    def _is_crowded(self, line: _Line, service: str) -> bool:
        # Where the queue is full there is nothing to keep up with.
        waiting = line.waiting
        return (
            not line.is_full
            and len(waiting) >= self._crowd
            and waiting.of(service) * waiting.owners >= self._crowd
        )

    async def _publish_waiting(self, line: _Line) -> None:
        while line.waiting:
            if line.room <= 0:
                await self._look(line)
            if line.is_full and (self._is_draining or len(line.running) > 1):
                return
            if line.is_full:
                await asyncio.sleep(line.window.look_every_s)
                line.drop_late()
            elif batch := line.next_batch(self._max_batch):
                await self.publish(batch)

    async def _look(self, line: _Line) -> None:
        """Find out how much room a queue has."""
        async with line.looking:
            if line.room > 0:
                return
            try:
                depth = await self._queue.depth(line.channel, line.lane)
                line.room = min(line.window.portion(depth), _unseen(line.window))
            except NotifierError:  # publishing tells, and leaves it to the relay
                line.room = _unseen(line.window)
            line.is_full = line.room == 0
            line.move()

    async def _hand_over(self, envelopes: Sequence[Envelope], publish: Publish, mark: Mark) -> int:
        starts = range(0, len(envelopes), self._max_batch)
        batches = [envelopes[start : start + self._max_batch] for start in starts]
        return sum([await _attempt(batch, publish, mark) for batch in batches])


def _unseen(window: Window) -> int:
    """How many go in before somebody looks."""
    return max(window.ready // 2, 1)


async def _attempt(envelopes: Sequence[Envelope], publish: Publish, mark: Mark) -> int:
    try:
        answers = await publish(envelopes)
        confirmed = [each for each, error in zip(envelopes, answers, strict=True) if error is None]
        _report(answers)
        if confirmed:
            await mark(confirmed)
    except NotifierError as error:
        log.warning("publish.failed", count=len(envelopes), error=type(error).__name__)
        return 0
    except Exception:  # a defect here leaves it to the relay, as a refusal does
        log.exception("publish.crashed", count=len(envelopes))
        return 0
    return len(confirmed)


def _report(answers: Sequence[PublishError | None]) -> None:
    for reason, count in Counter(str(error) for error in answers if error).items():
        log.warning("publish.failed", count=count, error=reason)
