"""Events from RabbitMQ that gather in digests, over runners that are killed again and again."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import pika

from tests.waiting import require
from tests.witness import witness_of
from tools.bench.place import Place, Servers
from tools.bench.results import Sample
from tools.bench.stacks import Deployment, Slots, deploy_notifier
from tools.bench.templating import publish
from tools.bench.wrk import LoadError

RUNNERS = 8
_PATIENCE_S = 3_600
_PEOPLE_COUNT = 500
_KEYS = 2
_REPEATED = 0.2
_QUEUE = "notifier.events"
_TEMPLATE: dict[str, Any] = {
    "default_locale": "en",
    "schema": {
        "type": "object",
        "properties": {"count": {"type": "integer"}, "items": {"type": "array"}},
        "required": ["count"],
    },
    "examples": [{"count": 3, "items": []}],
    "parts": {"en": {"email": {"subject": "{{ count }} events", "text": "{{ count }} of them."}}},
}
_RULE = {
    "on": "bench.happened",
    "to": "data.user",
    "steps": [
        {"digest": {"key": "data.key", "window": "2s"}},
        {"send": ["email"], "template": "gathered"},
    ],
}
_PEOPLE = """
    INSERT INTO recipients (service, user_id, locale, etag, created_at, updated_at)
    SELECT 'bench', 'user-' || g, 'en', 'e', now(), now() FROM generate_series(0, $1::bigint) AS g
"""
_ADDRESSES = """
    INSERT INTO recipient_addresses (service, user_id, channel, address, is_primary)
    SELECT 'bench', 'user-' || g, 'email', 'user' || g || '@example.com', true
    FROM generate_series(0, $1::bigint) AS g
"""
_STORED = "SELECT count(*) FROM events"
_OPEN = "SELECT count(*) FROM digests WHERE settled_at IS NULL"
_IN_ONE = """
    SELECT count(*) FROM events AS e WHERE 1 = (
        SELECT count(*) FROM digest_items AS i JOIN digests AS d ON d.id = i.digest_id
        WHERE i.event_id = e.id AND d.person = e.data::json ->> 'user'
        AND d.key = e.data::json ->> 'key'
    ) AND 1 = (SELECT count(*) FROM digest_items AS i WHERE i.event_id = e.id)
"""
_DIGESTS = "SELECT count(*) FROM digests"
_EMPTY = """
    SELECT count(*) FROM digests AS d
    WHERE NOT EXISTS (SELECT 1 FROM digest_items AS i WHERE i.digest_id = d.id)
"""
_MADE = "SELECT count(*) FROM notifications"


async def gather_events(servers: Servers, events: int, *, kills: int) -> Sample:
    """Take so many events, a fifth of them twice; runners are killed so often on the way."""
    async with servers.place("events") as place:
        sink = await place.sink()
        settings = {"EVENTS__BINDINGS": "bench.*", "EVENTS__OWNERS": "*=bench"}
        deployment = await deploy_notifier(place, sink.port, settings)
        await deployment.start_api()
        await _prepare(deployment)
        published = await asyncio.to_thread(_publish, place.amqp_url, events)
        runners = [deployment.workers(Slots(1, 4)) for _ in range(RUNNERS)]
        began_s = time.monotonic()
        for each in runners:
            each.start()
        killed = 0
        for kill in range(kills):
            await _await_stored(place, events * (kill + 1) // (kills + 2))
            victim = random.choice(runners)  # noqa: S311  a kill's moment is no secret
            await victim.kill()
            victim.start()
            killed += 1
        await _await_stored(place, events)
        took_s = time.monotonic() - began_s
        await require(_is_done(place), timeout_s=_PATIENCE_S, every_s=0.2, what="all digests")
        return {
            "events": events,
            "published": published,
            "kills": killed,
            "per_s": events / took_s,
            **await _outcome(place, events),
        }


async def _outcome(place: Place, events: int) -> Sample:
    stored, digests = await place.value(_STORED), await place.value(_DIGESTS)
    return {
        "stored once, %": 100.0 * min(stored, 2 * events - stored) / events,
        "in one digest of their own, %": 100.0 * await place.value(_IN_ONE) / events,
        "digests": digests,
        "empty digests": await place.value(_EMPTY),
        "sent once each, %": 100.0 * await place.value(_MADE) / digests,
    }


async def _prepare(deployment: Deployment) -> None:
    await make_people(deployment.place, _PEOPLE_COUNT)
    await publish(deployment, _TEMPLATE, "gathered")
    await keep_rule(deployment, "bench.gathered", _RULE)


async def make_people(place: Place, count: int) -> None:
    """Put `user-0` and so on into the directory, each with an address for emails."""
    async with place.connection() as connection:
        for statement in (_PEOPLE, _ADDRESSES):
            await connection.execute(statement, count - 1)


async def keep_rule(deployment: Deployment, name: str, rule: Mapping[str, Any]) -> None:
    """Put a rule in force."""
    url = f"{deployment.url}/api/v1/rules/{name}"
    async with aiohttp.ClientSession(headers=deployment.endpoint.headers) as session:
        for call in (
            session.put(f"{url}/draft", json=rule),
            session.post(f"{url}/publish"),
        ):
            async with call as answer:
                if not answer.ok:
                    raise LoadError(f"{answer.status}: {await answer.text()}")


def _publish(amqp_url: str, events: int) -> int:
    """Publish all of them before any is taken, some of them twice; returns how many messages."""
    chance = random.Random(1)  # noqa: S311  a measurement's
    repeated = chance.sample(range(events), int(events * _REPEATED))
    numbers = [*range(events), *repeated]
    chance.shuffle(numbers)
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    properties = pika.BasicProperties(content_type="application/cloudevents+json", delivery_mode=2)
    for number in numbers:
        channel.basic_publish("events", "bench.happened", _event(number), properties)
    connection.close()
    return len(numbers)


def _event(number: int) -> bytes:
    data = {"user": f"user-{number % _PEOPLE_COUNT}", "key": str(number % 7 % _KEYS)}
    said = {"specversion": "1.0", "source": "/bench", "type": "bench.happened"}
    return json.dumps({**said, "id": str(number), "data": data}).encode()


async def _await_stored(place: Place, count: int) -> None:
    async def is_stored() -> bool:
        return await place.value(_STORED) >= count

    await require(is_stored, timeout_s=_PATIENCE_S, every_s=0.2, what=f"{count} events stored")


def _is_done(place: Place) -> Any:
    def is_empty() -> bool:
        with witness_of(place.amqp_url) as witness:
            return witness.ready(_QUEUE) == 0

    async def is_done() -> bool:
        return await asyncio.to_thread(is_empty) and await place.value(_OPEN) == 0

    return is_done
