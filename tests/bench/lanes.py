"""How long an urgent notification waits while a large bulk is being sent."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp

from notifier.notification import Channel, Lane
from notifier.queue.topology import work_queue
from tests.bench.draining import quickest
from tests.bench.load import notification, post_many, preload
from tests.bench.place import Place, Servers
from tests.bench.results import Sample, percentile
from tests.bench.stacks import Deployment, Slots, Stack, deploy_notifier
from tests.bench.wrk import Endpoint, LoadError
from tests.waiting import require

_PER_S = 10
_BULK = work_queue(Channel.EMAIL, Lane.BULK)
_NOTHING_LEFT = 1_000
_CROWD = 10_000
_SENT_AT = """
    SELECT id::text, extract(epoch FROM sent_at)::float8 AS at FROM notifications
    WHERE service = 'bench' AND lane = 'high' AND sent_at IS NOT NULL
"""


async def overtake(
    servers: Servers, slots: Slots, bulk: int, seconds: float, *, is_crowded: bool = False
) -> Sample:
    """Send ten urgent ones a second for so long, or as long as bulk ones are left.

    Where it is crowded, another service sends as much bulk as is taken meanwhile, and begins with
    10,000 urgent ones.
    """
    async with servers.place("lanes") as place:
        sink = await place.sink()
        deployment = replace(await deploy_notifier(place, sink.port), queue=_BULK)
        await deployment.start_api()
        endpoint = quickest(deployment, Stack("", deploy_notifier))
        await preload(deployment, bulk, endpoint=replace(endpoint, lane="bulk"))
        workers = deployment.workers(slots)
        workers.start()

        async def consume() -> bool:
            return await place.ready_messages(_BULK) < bulk - slots.processes * slots.each

        await require(consume, timeout_s=60, what="workers consuming")
        began_s, began = time.monotonic(), await place.ready_messages(_BULK)
        async with _crowd(deployment, is_wanted=is_crowded):
            answered_at = await _post_urgent(deployment, seconds)
        left, took_s = await place.ready_messages(_BULK), time.monotonic() - began_s
        sent_at = await _sent(place, len(answered_at))
        waited_ms = [1e3 * (sent_at[id] - at) for id, at in answered_at.items()]
        return {
            "p50_ms": percentile(waited_ms, 0.5),
            "p99_ms": percentile(waited_ms, 0.99),
            "max_ms": max(waited_ms),
            "urgent": len(waited_ms),
            "bulk per_s": (began - left) / took_s,
            "bulk left": left,
        }


@asynccontextmanager
async def _crowd(deployment: Deployment, *, is_wanted: bool) -> AsyncIterator[None]:
    """Let another service send batches for as long as the block takes."""
    if not is_wanted:
        yield
        return
    assert deployment.other is not None
    batches = replace(
        quickest(deployment, Stack("", deploy_notifier)), headers=deployment.other.headers
    )
    crowding = asyncio.create_task(_send_crowd(batches))
    try:
        yield
    finally:
        crowding.cancel()
        await asyncio.wait({crowding})
    if not crowding.cancelled():
        crowding.result()


async def _send_crowd(batches: Endpoint) -> None:
    await post_many(replace(batches, lane="high"), _CROWD)
    await post_many(replace(batches, lane="bulk"), sys.maxsize)


async def _post_urgent(deployment: Deployment, seconds: float) -> dict[str, float]:
    """When each was answered, by its id."""
    answered_at: dict[str, float] = {}
    headers = {"Content-Type": "application/json", **deployment.endpoint.headers}
    began_s = time.monotonic()

    async def post_one(session: aiohttp.ClientSession, number: int) -> None:
        body = json.dumps(notification(number, lane="high"))
        async with session.post(deployment.endpoint.url, data=body) as answer:
            told = await answer.json()
            if answer.status != 202:
                raise LoadError(f"{answer.status}: {told}")
            answered_at[told["id"]] = time.time()

    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for number in range(int(seconds * _PER_S)):
            await asyncio.sleep(max(0, began_s + number / _PER_S - time.monotonic()))
            group.create_task(post_one(session, number))
            if number % _PER_S == 0 and await _nothing_left(deployment):
                break
    return answered_at


async def _nothing_left(deployment: Deployment) -> bool:
    return await deployment.place.ready_messages(_BULK) < _NOTHING_LEFT


async def _sent(place: Place, count: int) -> dict[str, float]:
    """When each urgent one was recorded as sent, by its id; waits until all are."""
    sent_at: dict[str, float] = {}

    async def all_sent() -> bool:
        async with place.connection() as connection:
            sent_at.update((row["id"], row["at"]) for row in await connection.fetch(_SENT_AT))
        return len(sent_at) >= count

    await require(all_sent, timeout_s=60, every_s=0.3, what="all urgent ones sent")
    return sent_at
