"""Consuming: every channel's lanes, each message handled in one of the channel's slots."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from notifier.delivery.deliverer import Deliverer
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Queue, Subscription
from notifier.worker.slots import Slots, SlotsClosedError

log = structlog.get_logger(__name__)


class Hold(Enum):
    """Why consumers take nothing for a while."""

    OUTAGE = auto()
    """There is no database."""
    DRAIN = auto()
    """Operators asked for it."""


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
        self.handled = 0
        """How many notifications were done with, whatever became of them."""
        self._in_flight: dict[asyncio.Task[Any], UUID] = {}
        self._held_for: set[Hold] = set()
        self._turning = asyncio.Lock()
        self._is_ending = False

    @property
    def slots(self) -> int:
        """How many notifications of all channels are handed over at once."""
        return sum(self._counts.values())

    @property
    def is_taking(self) -> bool:
        """Whether it takes what comes."""
        return not self._held_for and not self._is_ending

    def in_flight(self) -> Sequence[UUID]:
        """Return the notifications that have a slot, those that had it first before the others."""
        return list(self._in_flight.values())

    def sources(self) -> Sequence[str]:
        """Return the channels and lanes that it takes from, such as `email.high`."""
        return [f"{channel}.{lane}" for channel in self._counts for lane in Lane]

    async def start(self) -> None:
        """Subscribe to every lane of every channel, the most urgent first."""
        for lane in Lane:
            for channel, count in self._counts.items():
                handler = partial(self._handle, self._slots[channel])
                self._subscriptions.append(
                    await self._queue.subscribe(channel, lane, handler, consumers=count)
                )

    async def let_go(self, hold: Hold) -> None:
        """Take no more, and give back what is not claimed; what is in flight goes on.

        A broker that is away keeps none of this from happening.
        """
        async with self._turning:
            was_taking = not self._held_for
            self._held_for.add(hold)
            if was_taking:
                await self._pause()

    async def resume(self, hold: Hold) -> None:
        """Take messages again after `let_go`, once it is held for no reason any more."""
        async with self._turning:
            was_held = hold in self._held_for
            self._held_for.discard(hold)
            if was_held and not self._held_for:
                await self._resume()

    async def _pause(self) -> None:
        await _settled(subscription.pause() for subscription in self._subscriptions)
        for slots in self._slots.values():
            slots.close()
        self._deliverer.close()

    async def _resume(self) -> None:
        for slots in self._slots.values():
            slots.open()
        self._deliverer.open()
        for subscription in self._subscriptions:
            await subscription.resume()

    async def stop(self, grace_s: float) -> None:
        """Take no more, finish what is in flight within `grace_s`, give the rest back."""
        self._is_ending = True
        await self._pause()
        if self._in_flight:
            _, late = await asyncio.wait(set(self._in_flight), timeout=grace_s)
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
        self._in_flight[task] = envelope.id
        try:
            return await self._deliverer.deliver(envelope)
        finally:
            del self._in_flight[task]
            self.handled += 1
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
