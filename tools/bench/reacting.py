"""How long an event's urgent notification takes while a large bulk is being sent."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp

from notifier.notification.model import Channel, Lane
from notifier.queue.topology import work_queue
from tests.waiting import require
from tools.bench.draining import quickest
from tools.bench.eventing import keep_rule, make_people
from tools.bench.load import preload
from tools.bench.place import Place, Servers
from tools.bench.results import Sample, percentile
from tools.bench.stacks import Deployment, Slots, Stack, deploy_notifier
from tools.bench.templating import publish
from tools.bench.wrk import LoadError

_PER_S = 10
_BULK = work_queue(Channel.EMAIL, Lane.BULK)
_TYPE = "bench.asked"
_TEMPLATE: dict[str, Any] = {
    "default_locale": "en",
    "parts": {"en": {"email": {"subject": "Welcome", "text": "You asked for it."}}},
}
_RULE = {
    "on": _TYPE,
    "to": "data.user",
    "lane": "high",
    "steps": [{"send": ["email"], "template": "asked"}],
}
_SENT_AT = """
    SELECT user_id, extract(epoch FROM sent_at)::float8 AS at FROM notifications
    WHERE service = 'bench' AND lane = 'high' AND sent_at IS NOT NULL
"""


async def react(servers: Servers, slots: Slots, bulk: int, seconds: float) -> Sample:
    """Publish ten events a second by HTTP for so long, each for another person, beside bulk."""
    events = int(seconds * _PER_S)
    async with servers.place("reactions") as place:
        sink = await place.sink()
        deployment = replace(await deploy_notifier(place, sink.port), queue=_BULK)
        await deployment.start_api()
        await make_people(place, events)
        await publish(deployment, _TEMPLATE, "asked")
        await keep_rule(deployment, "bench.asked", _RULE)
        endpoint = quickest(deployment, Stack("", deploy_notifier))
        await preload(deployment, bulk, endpoint=replace(endpoint, lane="bulk"))
        workers = deployment.workers(slots)
        workers.start()

        async def consume() -> bool:
            return await place.ready_messages(_BULK) < bulk - slots.processes * slots.each

        await require(consume, timeout_s=60, what="workers consuming")
        happened_at = await _publish_all(deployment, events)
        left = await place.ready_messages(_BULK)
        waited_ms = await _waits(place, happened_at)
        return {
            "p50_ms": percentile(waited_ms, 0.5),
            "p99_ms": percentile(waited_ms, 0.99),
            "max_ms": max(waited_ms),
            "events": events,
            "bulk left": left,
        }


async def _publish_all(deployment: Deployment, events: int) -> Mapping[str, float]:
    """Publish them; returns when each was, by the person that it is about."""
    happened_at: dict[str, float] = {}
    headers = {"Content-Type": "application/cloudevents+json", **deployment.endpoint.headers}
    began_s = time.monotonic()

    async def publish_one(session: aiohttp.ClientSession, number: int) -> None:
        user = f"user-{number}"
        said = {"specversion": "1.0", "source": "/bench", "type": _TYPE, "id": str(number)}
        happened_at[user] = time.time()
        url = f"{deployment.url}/api/v1/events"
        async with session.post(url, json={**said, "data": {"user": user}}) as answer:
            if not answer.ok:
                raise LoadError(f"{answer.status}: {await answer.text()}")

    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for number in range(events):
            await asyncio.sleep(max(0, began_s + number / _PER_S - time.monotonic()))
            group.create_task(publish_one(session, number))
    return happened_at


async def _waits(place: Place, happened_at: Mapping[str, float]) -> list[float]:
    """How long it took from each event until its mail was recorded as sent; waits for all."""
    sent_at: dict[str, float] = {}

    async def all_sent() -> bool:
        async with place.connection() as connection:
            found = await connection.fetch(_SENT_AT)
        sent_at.update((row["user_id"], row["at"]) for row in found)
        return happened_at.keys() <= sent_at.keys()

    await require(all_sent, timeout_s=60, every_s=0.3, what="a mail for each event")
    return [1e3 * (sent_at[user] - at) for user, at in happened_at.items()]
