"""How long an urgent notification waits while a large bulk is being sent."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial

import aiohttp

from notifier.api.kit.fields import parse_time
from notifier.notification.model import Channel, Lane
from notifier.queue.topology import work_queue
from tests.clock import SystemClock
from tests.waiting import require
from tools.bench.draining import quickest
from tools.bench.load import post_many, preload
from tools.bench.place import Place, Servers
from tools.bench.results import Sample, percentile
from tools.bench.scaling import COLUMNS
from tools.bench.stacks import Deployment, Slots, Stack, deploy_notifier
from tools.bench.wrk import Endpoint, LoadError

_PER_S = 10
_BULK = work_queue(Channel.EMAIL, Lane.BULK)
_NOTHING_LEFT = 1_000
_CROWD = 10_000
_AHEAD = timedelta(seconds=2)
_CHUNK = 50_000
_SENT_AT = """
    SELECT id::text, extract(epoch FROM sent_at)::float8 AS at FROM notifications
    WHERE service = 'bench' AND lane = 'high' AND sent_at IS NOT NULL
"""
_HAS_SENT = "SELECT count(*) FROM (SELECT FROM notifications WHERE status = 'sent' LIMIT 1) AS s"
_IS_LEFT = "SELECT count(*) FROM notifications WHERE status = 'pending' AND lane = 'bulk'"
_IS_BULK = "SELECT count(*) FROM notifications WHERE lane = 'bulk'"


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
        crowd = _crowd(deployment, urgent=_CROWD) if is_crowded else nullcontext()
        async with crowd:
            answered_at = await post_urgent(
                deployment, seconds, is_over=partial(_nothing_left, deployment)
            )
        left, took_s = await place.ready_messages(_BULK), time.monotonic() - began_s
        waits = await waits_of(place, answered_at)
        return {**waits, "bulk per_s": (began - left) / took_s, "bulk left": left}


async def overtake_what_is_due(servers: Servers, slots: Slots, due: int, seconds: float) -> Sample:
    """Send ten urgent ones a second at a set time, while so many bulk ones of another are due."""
    async with servers.place("due") as place:
        sink = await place.sink()
        deployment = replace(await deploy_notifier(place, sink.port), queue=_BULK, relay=None)
        await deployment.start_api()
        await _make_due(deployment, due)
        workers = deployment.workers(slots)
        workers.start()

        async def send() -> bool:
            return await place.value(_HAS_SENT) > 0

        await require(send, timeout_s=60, what="workers sending")
        began_s, began = time.monotonic(), await place.value(_IS_LEFT)
        due_at = await post_urgent(deployment, seconds, ahead=_AHEAD)
        waits = await waits_of(place, due_at)
        left, took_s = await place.value(_IS_LEFT), time.monotonic() - began_s
        return {**waits, "bulk per_s": (began - left) / took_s, "bulk left": left}


async def overtake_all_at_once(
    servers: Servers, slots: Slots, bulk: int, due: int, seconds: float
) -> Sample:
    """Ten urgent ones a second by POST, and ten at a set time, while everything is there.

    Bulk waits in the queue, more of it is due at one second, and another service sends as much
    of it as is taken.
    """
    async with servers.place("at-once") as place:
        sink = await place.sink()
        deployment = replace(await deploy_notifier(place, sink.port), queue=_BULK, relay=None)
        await deployment.start_api()
        endpoint = quickest(deployment, Stack("", deploy_notifier))
        await preload(deployment, bulk, endpoint=replace(endpoint, lane="bulk"))
        await _make_due(deployment, due)
        workers = deployment.workers(slots)
        workers.start()

        async def send() -> bool:
            return await place.value(_HAS_SENT) > 0

        await require(send, timeout_s=60, what="workers sending")
        began_s, began, left_then = time.monotonic(), await _bulk(place), await _left(place)
        async with _crowd(deployment, urgent=0):
            answered_at, due_at = await asyncio.gather(
                post_urgent(deployment, seconds), post_urgent(deployment, seconds, ahead=_AHEAD)
            )
        accepted, left = await _bulk(place) - began, await _left(place)
        took_s = time.monotonic() - began_s
        by_relay = await waits_of(place, due_at)
        return {
            **await waits_of(place, answered_at),
            "bulk per_s": (accepted + left_then - left) / took_s,
            "bulk left": left,
            "bulk accepted per s": accepted / took_s,
            "at its time, p50, ms": by_relay["p50_ms"],
            "at its time, p99, ms": by_relay["p99_ms"],
        }


async def _bulk(place: Place) -> float:
    return await place.value(_IS_BULK)


async def _left(place: Place) -> float:
    return await place.value(_IS_LEFT)


async def _make_due(deployment: Deployment, count: int) -> None:
    """Let so many bulk ones of another service be due: copies of one that is due tomorrow."""
    assert deployment.other is not None
    tomorrow = replace(deployment.other, lane="bulk").having(send_at=_in(timedelta(days=1)))
    headers = {"Content-Type": "application/json", **tomorrow.headers}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(tomorrow.url, data=tomorrow.body(0)) as answer,
    ):
        if answer.status != 202:
            raise LoadError(f"{answer.status}: {await answer.text()}")
        copied = (await answer.json())["id"]
    async with deployment.place.connection() as connection:
        await connection.execute("SET synchronous_commit = off")
        columns = await connection.fetchval(COLUMNS, "notifications")
        now = await connection.fetchval("SELECT now()")
        for first in range(0, count, _CHUNK):
            last = min(first + _CHUNK, count) - 1
            await connection.execute(_copying(columns), first, last, now, copied)


def _copying(columns: Sequence[str]) -> str:
    """A statement that copies the notification $4 for each number, $1 to $2, due at $3."""
    replaced = {
        "id": "gen_random_uuid()",
        "recipient": "'user' || g || '@example.com'",
        "due_at": "$3::timestamptz",
        "relay_at": "$3::timestamptz",
    }
    values = ", ".join(replaced.get(name, f"s.{name}") for name in columns)
    return (
        f"INSERT INTO notifications ({', '.join(columns)})"  # noqa: S608  names of the schema
        f" SELECT {values} FROM notifications AS s,"
        f" generate_series($1::bigint, $2::bigint) AS g WHERE s.id = $4::uuid"
    )


def _in(delay: timedelta) -> str:
    return (SystemClock().now() + delay).isoformat()


@asynccontextmanager
async def _crowd(deployment: Deployment, *, urgent: int) -> AsyncIterator[None]:
    """Let another service send so many urgent ones, then bulk for as long as the block takes."""
    assert deployment.other is not None
    batches = replace(
        quickest(deployment, Stack("", deploy_notifier)), headers=deployment.other.headers
    )
    crowding = asyncio.create_task(_send_crowd(batches, urgent))
    try:
        yield
    finally:
        crowding.cancel()
        await asyncio.wait({crowding})
    if not crowding.cancelled():
        crowding.result()


async def _send_crowd(batches: Endpoint, urgent: int) -> None:
    await post_many(replace(batches, lane="high"), urgent)
    await post_many(replace(batches, lane="bulk"), sys.maxsize)


async def post_urgent(
    deployment: Deployment,
    seconds: float,
    *,
    ahead: timedelta | None = None,
    is_over: Callable[[], Awaitable[bool]] | None = None,
) -> dict[str, float]:
    """When each was answered or, where they are sent ahead of their time, was due; by its id.

    It ends before if `is_over` says so, asked once a second.
    """
    wanted_at: dict[str, float] = {}
    endpoint = replace(deployment.endpoint, lane="high")
    headers = {"Content-Type": "application/json", **endpoint.headers}
    began_s = time.monotonic()

    async def post_one(session: aiohttp.ClientSession, number: int) -> None:
        one = endpoint if ahead is None else endpoint.having(send_at=_in(ahead))
        async with session.post(one.url, data=one.body(number)) as answer:
            told = await answer.json()
            if answer.status != 202:
                raise LoadError(f"{answer.status}: {told}")
            due_at = told["send_at"]
            wanted_at[told["id"]] = parse_time(due_at).timestamp() if due_at else time.time()

    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for number in range(int(seconds * _PER_S)):
            await asyncio.sleep(max(0, began_s + number / _PER_S - time.monotonic()))
            group.create_task(post_one(session, number))
            if is_over and number % _PER_S == 0 and await is_over():
                break
    return wanted_at


async def _nothing_left(deployment: Deployment) -> bool:
    return await deployment.place.ready_messages(_BULK) < _NOTHING_LEFT


async def waits_of(place: Place, wanted_at: Mapping[str, float]) -> Sample:
    """How long they waited from then on until they were sent; waits until all are."""
    sent_at = await _sent(place, wanted_at.keys())
    waited_ms = [1e3 * (sent_at[id] - at) for id, at in wanted_at.items()]
    return {
        "p50_ms": percentile(waited_ms, 0.5),
        "p99_ms": percentile(waited_ms, 0.99),
        "max_ms": max(waited_ms),
        "urgent": len(waited_ms),
    }


async def _sent(place: Place, wanted: AbstractSet[str]) -> dict[str, float]:
    """When each urgent one was recorded as sent, by its id; waits until all are."""
    sent_at: dict[str, float] = {}

    async def all_sent() -> bool:
        async with place.connection() as connection:
            sent_at.update((row["id"], row["at"]) for row in await connection.fetch(_SENT_AT))
        return wanted <= sent_at.keys()

    await require(all_sent, timeout_s=60, every_s=0.3, what="all urgent ones sent")
    return sent_at
