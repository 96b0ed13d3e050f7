"""Publishing what the database holds: confirmed by the broker, then marked as published."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import structlog

from notifier.errors import NotifierError, PublishError
from notifier.notification import Envelope
from notifier.ports import DeliveryStore, Queue

log = structlog.get_logger(__name__)

Publish: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[Sequence[PublishError | None]]]
Mark: TypeAlias = Callable[[Sequence[Envelope]], Awaitable[None]]

MANY = 16


@dataclass(frozen=True, slots=True)
class _Offer:
    envelope: Envelope
    until_s: float


class Publisher:
    """Publishes envelopes and marks them; what fails is left to the relay, never raised.

    What is offered goes in batches of up to `max_batch`: while one is under way the next gathers,
    and once `MANY` gathered, it goes beside the first.

    `offer` never waits: with more than `max_waiting` envelopes already waiting it leaves them to
    the relay, so that accepting notifications costs the same whatever the broker does. What was
    offered and did not get its turn within `patience_s` is left to the relay as well; shorter
    than the store's grace, it keeps the two from publishing the same.

    From `crowd` waiting envelopes on `keep_up` holds its caller back, for `hold_back_s` at most:
    who accepts no faster than is published leaves nothing to the relay.
    """

    def __init__(
        self,
        store: DeliveryStore,
        queue: Queue,
        *,
        max_batch: int = 256,
        max_waiting: int = 5_000,
        patience_s: float = 4,
        crowd: int = 1_000,
        hold_back_s: float = 0.25,
    ) -> None:
        self._store = store
        self._queue = queue
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._patience_s = patience_s
        self._crowd = crowd
        self._hold_back_s = hold_back_s
        self._waiting: deque[_Offer] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._has_kept_up = asyncio.Event()
        self._has_kept_up.set()

    def offer(self, envelopes: Iterable[Envelope]) -> None:
        """Publish in the background, as far as there is room."""
        until_s = asyncio.get_running_loop().time() + self._patience_s
        room = max(self._max_waiting - len(self._waiting), 0)
        self._waiting.extend(_Offer(each, until_s) for each in islice(envelopes, room))
        if len(self._waiting) >= self._crowd:
            self._has_kept_up.clear()
        if not self._running or (len(self._running) == 1 and len(self._waiting) >= MANY):
            task = asyncio.create_task(self._publish_waiting())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def keep_up(self) -> None:
        """Wait a moment if a crowd waits to be published."""
        if not self._has_kept_up.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._hold_back_s):
                    await self._has_kept_up.wait()

    async def publish(self, envelopes: Sequence[Envelope]) -> int:
        """Publish all of them; returns how many the broker confirmed."""
        return await self._hand_over(envelopes, self._queue.publish, self._store.mark_published)

    async def bury(self, envelopes: Sequence[Envelope]) -> int:
        """Put the dead letters of failed notifications into their dead queues."""
        return await self._hand_over(envelopes, self._queue.bury, self._store.mark_buried)

    async def drain(self, timeout_s: float) -> None:
        """Wait for what was offered, at most `timeout_s`; the relay has the rest."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _publish_waiting(self) -> None:
        while batch := self._next_batch():
            await self.publish(batch)

    def _next_batch(self) -> list[Envelope]:
        now_s = asyncio.get_running_loop().time()
        batch: list[Envelope] = []
        while self._waiting and len(batch) < self._max_batch:
            offer = self._waiting.popleft()
            if now_s < offer.until_s:
                batch.append(offer.envelope)
        if len(self._waiting) < self._crowd:
            self._has_kept_up.set()
        return batch

    async def _hand_over(self, envelopes: Sequence[Envelope], publish: Publish, mark: Mark) -> int:
        starts = range(0, len(envelopes), self._max_batch)
        batches = [envelopes[start : start + self._max_batch] for start in starts]
        return sum([await _attempt(batch, publish, mark) for batch in batches])


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
