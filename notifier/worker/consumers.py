"""Consuming: every channel's lanes, each message handled in one of the channel's slots."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import Any

import structlog

from notifier.delivery.deliverer import Deliverer
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Queue, Subscription
from notifier.worker.slots import Slots, SlotsClosedError

log = structlog.get_logger(__name__)


class Consumers:
    """The consumers of one OS process.

    `slots` says how many notifications of each channel are handed over at once; each of a
    channel's lanes has as many prefetch-1 consumers, so that any lane can use every slot.
    """

    def __init__(self, queue: Queue, deliverer: Deliverer, slots: Mapping[Channel, int]) -> None:
        self._queue = queue
        self._deliverer = deliverer
        self._counts = {channel: count for channel, count in slots.items() if count}
        self._slots = {channel: Slots(count) for channel, count in self._counts.items()}
        self._subscriptions: list[Subscription] = []
        self._in_flight: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Subscribe to every lane of every channel, the most urgent first."""
        for lane in Lane:
            for channel, count in self._counts.items():
                handler = partial(self._handle, self._slots[channel])
                self._subscriptions.append(
                    await self._queue.subscribe(channel, lane, handler, consumers=count)
                )

    async def let_go(self) -> None:
        """Take no more, and give back what is not claimed; what is in flight goes on.

        A broker that is away keeps none of this from happening.
        """
        await _settled(subscription.pause() for subscription in self._subscriptions)
        for slots in self._slots.values():
            slots.close()
        self._deliverer.close()

    async def resume(self) -> None:
        """Take messages again after `let_go`."""
        for slots in self._slots.values():
            slots.open()
        self._deliverer.open()
        for subscription in self._subscriptions:
            await subscription.resume()

    async def stop(self, grace_s: float) -> None:
        """Let go, finish what is in flight within `grace_s`, give the rest back."""
        await self.let_go()
        if self._in_flight:
            _, late = await asyncio.wait(self._in_flight, timeout=grace_s)
            await _cancel(late)
        await _settled(subscription.close() for subscription in self._subscriptions)

    def problem(self) -> str | None:
        """Why some consumer no longer consumes, or None."""
        problems = (subscription.problem() for subscription in self._subscriptions)
        return next((problem for problem in problems if problem), None)

    async def _handle(self, slots: Slots, envelope: Envelope) -> Settlement:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine runs in one
        try:
            await slots.take(envelope.lane)
        except SlotsClosedError:
            return Settlement.REQUEUE
        self._in_flight.add(task)
        try:
            return await self._deliverer.deliver(envelope)
        finally:
            self._in_flight.discard(task)
            slots.give_back()


async def _settled(endings: Iterable[Awaitable[None]]) -> None:
    for error in await asyncio.gather(*endings, return_exceptions=True):
        if isinstance(error, Exception):
            log.warning("subscription.not_ended", error=type(error).__name__)


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        log.warning("worker.interrupted", in_flight=len(tasks))
        await asyncio.wait(tasks)
