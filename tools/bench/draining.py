"""How fast workers empty a queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from tests.waiting import require, until
from tools.bench.load import preload
from tools.bench.place import Place, Servers
from tools.bench.processes import CpuMeter, memory_of, tree_of
from tools.bench.results import Sample
from tools.bench.stacks import PATH, Deployment, Slots, Stack, deploy_notifier
from tools.bench.wrk import Endpoint, LoadError

_BATCH = 1_000
_DRAIN_S = 900
_SENT = "SELECT count(*) FROM notifications WHERE status = 'sent'"
# Of the rows, their indexes and their timelines.
_BYTES = """
    SELECT pg_total_relation_size('notifications') + pg_total_relation_size('notification_events')
"""
# Workers do not start all at once, nor end all at once.
_SPAN = """
    SELECT extract(epoch FROM percentile_disc(0.95) WITHIN GROUP (ORDER BY sent_at)
                            - percentile_disc(0.05) WITHIN GROUP (ORDER BY sent_at))
    FROM notifications
"""


_SLOW_S = 1
# How long to wait until all slots are busy, and how much of the queue that may cost.
_FILLING_S, _FILLING_COSTS_S = 25, 15
_PROCESSING = "SELECT count(*) FROM notifications WHERE status = 'processing'"
_SENT_SINCE = f"{_SENT} AND sent_at > to_timestamp($1)"
_NOW = "SELECT extract(epoch FROM clock_timestamp())"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A stack with so many slots."""

    stack: Stack
    slots: Slots

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.stack.name}, {self.slots}"


async def drain(servers: Servers, contestant: Contestant, notifications: int) -> Sample:
    """Send so many that wait in the queue, to a server that answers at once."""
    async with servers.place("drain") as place:
        sink = await place.sink()
        deployment = await contestant.stack.deploy(place, sink.port)
        await deployment.start_api()
        await preload(deployment, notifications, endpoint=quickest(deployment, contestant.stack))
        await deployment.stop_api()
        workers = deployment.workers(contestant.slots)
        workers.start()
        async with peak_memory(workers.pid) as peak:
            left = await _begun(deployment, notifications)
            meter = CpuMeter({"workers": workers.pid})
            await sent(deployment, notifications)
        used = meter.read()
        if sink.taken() < notifications:
            raise LoadError(f"{notifications} were sent, and {sink.taken()} mails arrived")
        return {
            "per_s": 0.9 * notifications / await place.value(_SPAN),
            "pss_mib": peak.pss_mib,
            "rss_mib": peak.rss_mib,
            "bytes": await place.value(_BYTES) / notifications,
            **{f"cpu_us {name}": 1e6 * each / left for name, each in used.items()},
        }


async def drain_slowly(servers: Servers, contestant: Contestant, seconds: float) -> Sample:
    """Send to a server that answers after a second, and count once all slots are busy."""
    async with servers.place("slow") as place:
        sink = await place.sink(answers_after_s=_SLOW_S)
        deployment = await contestant.stack.deploy(place, sink.port)
        await deployment.start_api()
        slots = contestant.slots.processes * contestant.slots.each
        enough = int(slots / _SLOW_S * (_FILLING_COSTS_S + seconds))
        await preload(deployment, enough, endpoint=quickest(deployment, contestant.stack))
        await deployment.stop_api()
        workers = deployment.workers(contestant.slots)
        workers.start()
        async with peak_memory(workers.pid) as peak:
            await _begun(deployment, enough)
            await _all_busy(place, slots)
            meter = CpuMeter({"workers": workers.pid})
            began = await place.value(_NOW)
            await asyncio.sleep(seconds)
            count, ended = await place.value(_SENT_SINCE, began), await place.value(_NOW)
            used = meter.read()
        if not await place.ready_messages(deployment.queue):
            raise LoadError("the queue was empty before the count was over")
        return {
            "per_s": count / (ended - began),
            "pss_mib": peak.pss_mib,
            "rss_mib": peak.rss_mib,
            **{f"cpu_us {name}": 1e6 * each / count for name, each in used.items()},
        }


def quickest(deployment: Deployment, stack: Stack) -> Endpoint:
    """Where to POST what is not measured."""
    if stack.deploy is not deploy_notifier:
        return deployment.endpoint
    url = f"{deployment.url}{PATH}/batch"
    return replace(deployment.endpoint, url=url, batch=_BATCH)


async def _all_busy(place: Place, slots: int) -> None:
    """Wait until nearly all slots hold a notification; where they are too many, they never do."""

    async def are_busy() -> bool:
        return await place.value(_PROCESSING) >= 0.9 * slots

    await until(are_busy, timeout_s=_FILLING_S, every_s=0.5)
    await asyncio.sleep(2 * _SLOW_S)


async def _begun(deployment: Deployment, notifications: int) -> int:
    """Wait until workers consume; returns how many messages are left."""
    left = notifications

    async def consume() -> bool:
        nonlocal left
        left = await deployment.place.ready_messages(deployment.queue)
        return left < notifications

    await require(consume, timeout_s=60, what="workers consuming")
    return left


async def sent(deployment: Deployment, notifications: int) -> None:
    """Return once so many are sent."""
    place = deployment.place

    async def no_message() -> bool:
        return await place.ready_messages(deployment.queue) == 0

    async def all_sent() -> bool:
        return await place.value(_SENT) >= notifications

    # Counting rows would take its share of the machine while it lasts.
    await require(no_message, timeout_s=_DRAIN_S, every_s=0.5, what="an empty queue")
    await require(all_sent, timeout_s=60, every_s=0.2, what="all sent")


@dataclass(slots=True)
class Peak:
    """The most that processes held in memory."""

    pss_mib: float = 0
    rss_mib: float = 0


@asynccontextmanager
async def peak_memory(pid: int) -> AsyncIterator[Peak]:
    """Watch the processes of a tree while the block lasts."""
    peak = Peak()

    async def watch() -> None:
        while True:
            memory = memory_of(tree_of(pid))
            peak.pss_mib = max(peak.pss_mib, memory.pss_mib)
            peak.rss_mib = max(peak.rss_mib, memory.rss_mib)
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    try:
        yield peak
    finally:
        watching.cancel()
