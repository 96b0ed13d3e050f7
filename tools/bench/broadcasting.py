"""A broadcast to a million by a relay that is killed again and again, and urgent ones meanwhile."""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.waiting import require
from tools.bench.lanes import post_urgent, waits_of
from tools.bench.load import post_many
from tools.bench.place import Place, Servers
from tools.bench.processes import cpu_s, memory_of
from tools.bench.results import Sample, percentile
from tools.bench.stacks import Deployment, Slots, deploy_notifier
from tools.bench.templating import SHORT, publish
from tools.bench.wrk import LoadError

_PATIENCE_S = 3_600
_LOOK_S = 0.005
_CHUNK = 100_000
_TEMPLATE = "news"
_PEOPLE = """
    INSERT INTO recipients (service, user_id, locale, etag, created_at, updated_at)
    SELECT 'bench', 'user-' || g, 'en', 'e', now(), now()
    FROM generate_series($1::bigint, $2::bigint) AS g
"""
_ADDRESSES = """
    INSERT INTO recipient_addresses (service, user_id, channel, address, is_primary)
    SELECT 'bench', 'user-' || g, 'email', 'user' || g || '@example.com', true
    FROM generate_series($1::bigint, $2::bigint) AS g
"""
_MEMBERS = """
    INSERT INTO topic_members (service, topic, user_id)
    SELECT 'bench', 'news', 'user-' || g FROM generate_series($1::bigint, $2::bigint) AS g
"""
_TOPIC = "INSERT INTO topics VALUES ('bench', 'news', 'News', now())"
_SENT = "SELECT count(*) FROM notifications WHERE status = 'sent'"
_DONE = "SELECT count(*) FROM broadcasts WHERE state = 'done'"
_LOOKED_AT = "SELECT (counts::json ->> 'members')::bigint FROM broadcasts"
_ACCEPTED = "SELECT (counts::json ->> 'accepted')::bigint FROM broadcasts"
_TOLD = "SELECT count(DISTINCT user_id) FROM notifications WHERE broadcast_id IS NOT NULL"
_MADE = "SELECT count(*) FROM notifications WHERE broadcast_id IS NOT NULL"
# Those of whoever records a chunk: from its first statement on to the end of its commit.
_RUNNING = """
    SELECT pid, xact_start, 1e3 * extract(epoch FROM clock_timestamp() - xact_start) AS ms
    FROM pg_stat_activity
    WHERE application_name = 'notifier' AND state <> 'idle' AND xact_start IS NOT NULL
    AND query LIKE '%broadcasts%'
"""


@dataclass(slots=True)
class _Watch:
    """What was seen of a relay: how long its transactions took, and its memory."""

    longest_ms: dict[object, float] = field(default_factory=dict)
    began_cpu_s: dict[object, float] = field(default_factory=dict)
    cpu_ms: dict[object, float] = field(default_factory=dict)
    """Of the server's process, in ticks of the system."""
    rss_mib: float = 0.0

    def see(self, pid: int, transaction: object, ms: float) -> None:
        """Note that a transaction of this process is under way, and for how long."""
        self.longest_ms[transaction] = max(self.longest_ms.get(transaction, 0), ms)
        used_s = cpu_s([pid])
        began_s = self.began_cpu_s.setdefault(transaction, used_s)
        self.cpu_ms[transaction] = 1e3 * (used_s - began_s)


async def broadcast(servers: Servers, slots: Slots, members: int, *, kills: int) -> Sample:
    """Expand a broadcast to so many; the relay is killed so often on the way."""
    async with servers.place("broadcast") as place:
        sink = await place.sink()
        # How fast mails are sent is not what is measured.
        settings = {"RELAY__BROADCASTS_AHEAD": str(2 * members), "RELAY__ENABLED": "false"}
        deployment = await deploy_notifier(place, sink.port, settings)
        await deployment.start_api()
        await _people(place, members)
        await publish(deployment, SHORT, _TEMPLATE)
        deployment.workers(slots).start()
        await _send_one(deployment)
        watch = _Watch()
        async with _watching(deployment, watch):
            began_s = time.monotonic()
            await _announce(deployment)
            urgent = asyncio.create_task(_urgent(deployment))
            killed = await _kill(deployment, members, kills)
            await require(_is_done(place), timeout_s=_PATIENCE_S, every_s=0.2, what="the broadcast")
            took_s = time.monotonic() - began_s
            waits = await waits_of(place, await urgent)
        return {**_seen(watch), **waits, **await _outcome(place, members, took_s), "kills": killed}


async def _people(place: Place, members: int) -> None:
    async with place.connection() as connection:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(_TOPIC)
        for first in range(0, members, _CHUNK):
            last = min(first + _CHUNK, members) - 1
            for statement in (_PEOPLE, _ADDRESSES, _MEMBERS):
                await connection.execute(statement, first, last, timeout=600)
        await connection.execute("ANALYZE", timeout=600)


async def _announce(deployment: Deployment) -> None:
    body: Mapping[str, Any] = {
        "type": "email",
        "template": _TEMPLATE,
        "topic": "news",
        "variables": {"name": "Ada", "order": "42", "day": "Friday"},
    }
    url = f"{deployment.url}/api/v1/broadcasts"
    async with (
        aiohttp.ClientSession(headers=deployment.endpoint.headers) as session,
        session.post(url, json=body) as answer,
    ):
        if answer.status != 202:
            raise LoadError(f"{answer.status}: {await answer.text()}")


async def _urgent(deployment: Deployment) -> dict[str, float]:
    """Send ten urgent ones a second until the broadcast is done."""
    return await post_urgent(deployment, sys.maxsize, is_over=_is_done(deployment.place))


async def _send_one(deployment: Deployment) -> None:
    """Wait until the workers send: how long they take to start is not what is measured."""
    await post_many(deployment.endpoint, 1)

    async def is_sent() -> bool:
        return await deployment.place.value(_SENT) > 0

    await require(is_sent, timeout_s=120, every_s=0.2, what="workers that send")


def _is_done(place: Place) -> Any:
    async def is_done() -> bool:
        return await place.value(_DONE) > 0

    return is_done


async def _kill(deployment: Deployment, members: int, kills: int) -> int:
    """Kill the relay at random, each time once it has gone on; returns how often."""
    relay, place = deployment.relay, deployment.place
    assert relay is not None
    for kill in range(kills):
        goal = members * kill / (kills + 1)

        async def is_so_far(goal: float = goal) -> bool:
            return await place.value(_LOOKED_AT) > goal

        await require(is_so_far, timeout_s=_PATIENCE_S, every_s=0.05, what="more members")
        await asyncio.sleep(random.random() / 2)  # noqa: S311  a kill's moment is no secret
        if await place.value(_DONE):
            return kill
        await relay.kill()
        relay.start()
    return kills


@asynccontextmanager
async def _watching(deployment: Deployment, watch: _Watch) -> AsyncIterator[None]:
    watching = asyncio.create_task(_watch(deployment, watch))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _watch(deployment: Deployment, watch: _Watch) -> None:
    assert deployment.relay is not None
    async with deployment.place.connection() as connection:
        while True:
            for row in await connection.fetch(_RUNNING):
                watch.see(row["pid"], (row["pid"], row["xact_start"]), float(row["ms"]))
            watch.rss_mib = max(watch.rss_mib, memory_of([deployment.relay.pid]).rss_mib)
            await asyncio.sleep(_LOOK_S)


def _seen(watch: _Watch) -> Sample:
    times = list(watch.longest_ms.values())
    return {
        "transaction_ms": max(times),
        "transaction p99, ms": percentile(times, 0.99),
        "transaction CPU, ms": max(watch.cpu_ms.values()),
        "rss_mib": watch.rss_mib,
    }


async def _outcome(place: Place, members: int, took_s: float) -> Sample:
    made, told = await place.value(_MADE), await place.value(_TOLD)
    accepted = await place.value(_ACCEPTED)
    is_exact = made == told == accepted == members
    return {
        "members": members,
        "per_s": members / took_s,
        "made": made,
        "accepted": accepted,
        "told once, %": 100.0 if is_exact else 100 * min(told, 2 * members - made) / members - 1,
    }
