"""What is done for notifications that were accepted and are not on their way."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from notifier.delivery.letters import Letters
from notifier.delivery.ports import DeadLetters, RescuePolicy, Upkeep
from notifier.duty import Duty
from notifier.intake.publishing import Publisher
from notifier.intake.windows import WINDOWS, Window
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Queue, QueueDepth, WorkQueue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPace:
    """How often the relay looks, and how much it takes at once.

    What it took and could not publish comes up again after `hold_s`. Of what was
    published to an empty queue a while ago and never claimed, `suspects` come up at once, and more
    once these are taken: a consumer may hold them. In a queue with at most `drained_below` messages
    ready, where more were published than there can be, up to `missing_batch` come up much earlier.
    """

    due_every_s: float = 1
    rescue_every_s: float = 5
    repair_every_s: float = 15
    forget_every_s: float = 600
    batch: int = 500
    hold_s: float = 10
    suspects: int = 10
    drained_below: int = 10
    missing_batch: int = 5_000


class DeliveryDuties:
    """Publishes what is due, rescues what a dead worker left, and mends the dead queues.

    Any number of relays may do so at once: the store gives each record to one of them.
    """

    def __init__(
        self,
        *,
        upkeep: Upkeep,
        dead_letters: DeadLetters,
        queue: Queue,
        publisher: Publisher,
        rescue: Mapping[Channel, RescuePolicy],
        pace: RelayPace,
        windows: Mapping[Lane, Window] = WINDOWS,
    ) -> None:
        self._upkeep = upkeep
        self._dead_letters = dead_letters
        self._queue = queue
        self._publisher = publisher
        self._rescue_policies = rescue
        self._pace = pace
        self._windows = windows
        # Each by itself: no lane waits for what another has due.
        self._due = {
            lane: Duty(f"due.{lane}", pace.due_every_s, partial(self.publish_due, [lane]))
            for lane in Lane
        }
        self._rescue = Duty("rescue", pace.rescue_every_s, self.rescue)
        self._sweep = Duty("sweep", pace.repair_every_s, self.sweep)
        self._letters = {channel: Letters() for channel in Channel}
        self._grown: set[Channel] = set()
        self._others = (
            Duty("expire", pace.rescue_every_s, self.expire),
            Duty("bury", pace.rescue_every_s, self.bury),
            Duty("lost", pace.rescue_every_s, self.publish_lost),
            self._sweep,
            Duty("forget", pace.forget_every_s, self.forget_letters),
        )

    def all(self) -> Sequence[Duty]:
        """Return the duties, for a relay."""
        return (*self._due.values(), self._rescue, *self._others)

    def nudge(self) -> None:
        """Look at once for ended leases, and for what they make due."""
        self._rescue.nudge.set()

    async def publish_due(self, lanes: Collection[Lane] = tuple(Lane)) -> bool:
        """Publish what is pending, due and not in the broker, as far as its queue has room."""
        queues = await self._upkeep.due_queues(lanes)
        return any([await self._top_up(queue) for queue in queues])

    async def _top_up(self, queue: WorkQueue) -> bool:
        channel, lane = queue
        window = self._windows[lane]
        room = window.portion(await self._queue.depth(channel, lane))
        if not room:
            again = self._due[lane].nudge.set
            asyncio.get_running_loop().call_later(window.look_every_s, again)
            return False
        limit = min(room, self._pace.batch)
        due = await self._upkeep.take_due(limit, hold_s=self._pace.hold_s, queues=[queue])
        return len(due) == await self._publisher.publish(due) > 0

    def _nudge_due(self) -> None:
        for duty in self._due.values():
            duty.nudge.set()

    async def rescue(self) -> bool:
        """Take back what is processing under an ended lease."""
        count = await self._upkeep.rescue(self._pace.batch, self._rescue_policies)
        if count:
            log.warning("relay.rescued", count=count)
            self._nudge_due()
        return count == self._pace.batch

    async def expire(self) -> bool:
        """Expire what waited past its time."""
        return await self._upkeep.expire(self._pace.batch) == self._pace.batch

    async def bury(self) -> bool:
        """Bring failed notifications that have no dead letter into their dead queue."""
        await self._queue.ping()
        failed = await self._dead_letters.take_unburied(self._pace.batch, hold_s=self._pace.hold_s)
        buried = await self._publisher.bury(failed)
        return len(failed) == buried == self._pace.batch

    async def publish_lost(self) -> bool:
        """Publish again what a purged or deleted queue lost; never a plain backlog."""
        found = await self._queue.depths()
        self._look_at_letters([queue for queue in found if queue.lane is None])
        depths = [
            queue for queue in found if queue.lane and queue.ready <= self._pace.drained_below
        ]
        for queue in depths:
            await self._unpublish_missing(queue)
        empty = [(queue.channel, queue.lane) for queue in depths if queue.lane and not queue.ready]
        limit = self._pace.suspects
        lost = await self._upkeep.take_lost(limit, hold_s=self._pace.hold_s, empty=empty)
        if lost:
            log.warning("relay.lost", count=len(lost))
        return len(lost) == await self._publisher.publish(lost) == limit

    async def _unpublish_missing(self, queue: QueueDepth) -> None:
        count = await self._upkeep.unpublish_missing(self._pace.missing_batch, queue=queue)
        if count:
            log.warning("relay.missing", queue=queue.name, count=count)
            self._nudge_due()

    def _look_at_letters(self, dead: Sequence[QueueDepth]) -> None:
        """Have dead queues with news swept: the broker buries by itself what it gave up."""
        now_s = asyncio.get_running_loop().time()
        for queue in dead:
            letters = self._letters[queue.channel]
            if letters.are_news(queue.ready, now_s):
                self._grown.add(queue.channel)
                self._sweep.nudge.set()

    async def sweep(self) -> bool:
        """Remove dead letters that stand for no failure, and bring back what they stood for."""
        grown, self._grown = self._grown, set()
        for channel in grown.union(await self._dead_letters.channels_with_stale_dead_letters()):
            started_s = asyncio.get_running_loop().time()
            swept = await self._queue.sweep_dead(channel, self._stale)
            await self._dead_letters.mark_unburied(channel, swept)
            now_s = asyncio.get_running_loop().time()
            self._letters[channel].swept(len(swept), now_s, now_s - started_s)
        return False

    async def _stale(self, letters: Sequence[Envelope]) -> Collection[Envelope]:
        recalled = await self._dead_letters.recall(letters)
        if recalled:
            log.warning("relay.recalled", count=recalled)
            self._nudge_due()
        return await self._dead_letters.stale_dead_letters(letters)

    async def forget_letters(self) -> bool:
        """Look again at every dead queue: what comes as another letter goes is no growth."""
        for letters in self._letters.values():
            letters.forget()
        return False
