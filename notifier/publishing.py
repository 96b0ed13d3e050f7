"""Publishing what the database holds: confirmed by the broker, then marked as published."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from math import inf
from typing import TypeAlias

import structlog

from notifier.errors import NotifierError
from notifier.notification import Envelope
from notifier.ports import DeliveryStore, Queue

log = structlog.get_logger(__name__)

Step: TypeAlias = Callable[[Envelope], Awaitable[None]]


class Publisher:
    """Publishes envelopes and marks them; what fails is left to the relay, never raised.

    At most `concurrency` publishes are under way. `offer` never waits: with more than
    `max_waiting` envelopes already waiting, or a broker that does not confirm, it leaves them to
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
        concurrency: int = 512,
        max_waiting: int = 5_000,
        patience_s: float = 4,
        crowd: int = 1_000,
        hold_back_s: float = 0.25,
    ) -> None:
        self._store = store
        self._queue = queue
        self._room = asyncio.Semaphore(concurrency)
        self._max_waiting = max_waiting
        self._patience_s = patience_s
        self._crowd = crowd
        self._hold_back_s = hold_back_s
        self._waiting: set[asyncio.Task[bool]] = set()
        self._has_kept_up = asyncio.Event()
        self._has_kept_up.set()

    def offer(self, envelopes: Iterable[Envelope]) -> None:
        """Publish in the background, as far as there is room."""
        until_s = asyncio.get_running_loop().time() + self._patience_s
        for envelope in envelopes:
            if len(self._waiting) >= self._max_waiting:
                return
            task = asyncio.create_task(self._publish(envelope, until_s))
            self._waiting.add(task)
            task.add_done_callback(self._has_tried)
        if len(self._waiting) >= self._crowd:
            self._has_kept_up.clear()

    async def keep_up(self) -> None:
        """Wait a moment if a crowd waits to be published."""
        if not self._has_kept_up.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._hold_back_s):
                    await self._has_kept_up.wait()

    async def publish(self, envelopes: Iterable[Envelope]) -> int:
        """Publish all of them; returns how many the broker confirmed."""
        return sum(await asyncio.gather(*map(self._publish, envelopes)))

    async def bury(self, envelopes: Iterable[Envelope]) -> int:
        """Put the dead letters of failed notifications into their dead queues."""
        return sum(await asyncio.gather(*map(self._bury, envelopes)))

    async def drain(self, timeout_s: float) -> None:
        """Wait for what was offered, at most `timeout_s`; the relay has the rest."""
        if self._waiting:
            _, late = await asyncio.wait(self._waiting, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _has_tried(self, task: asyncio.Task[bool]) -> None:
        self._waiting.discard(task)
        if len(self._waiting) < self._crowd:
            self._has_kept_up.set()

    async def _publish(self, envelope: Envelope, until_s: float = inf) -> bool:
        async with self._room:
            if asyncio.get_running_loop().time() >= until_s:
                return False
            return await _attempt(envelope, self._queue.publish, self._store.mark_published)

    async def _bury(self, envelope: Envelope) -> bool:
        async with self._room:
            return await _attempt(envelope, self._queue.bury, self._store.mark_buried)


async def _attempt(envelope: Envelope, hand_over: Step, mark: Step) -> bool:
    try:
        await hand_over(envelope)
        await mark(envelope)
    except NotifierError as error:
        log.warning("publish.failed", id=str(envelope.id), error=type(error).__name__)
        return False
    except Exception:  # a defect here leaves it to the relay, as a refusal does
        log.exception("publish.crashed", id=str(envelope.id))
        return False
    return True
