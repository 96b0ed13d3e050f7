"""What it costs to look up whom a notification is for, and whether they want it."""

from dataclasses import replace

import aiohttp

from tools.bench.accepting import NOBODY, loaded
from tools.bench.place import Place, Servers
from tools.bench.results import Sample
from tools.bench.stacks import Deployment, deploy_notifier
from tools.bench.wrk import CONNECTIONS, LoadError

_CATEGORY = "news"
_WORDS = {
    "type": "email",
    "subject": "News of {{ day }}",
    "content": "Hello {{ name }}, there are some.",
    "variables": {"name": "Ada Lovelace", "day": "Friday"},
}
TO_ADDRESS = {**_WORDS, "recipient": "user{n}@example.com"}
TO_PERSON = {**_WORDS, "user_id": "user{n}", "category": _CATEGORY}
_PEOPLE = 100_000
"""More than are written to in a turn, of each range of numbers."""


async def accept_to_address(servers: Servers, seconds: float) -> Sample:
    """With the same words as `accept_to_person`."""
    async with servers.place("addresses") as place:
        deployment = await deploy_notifier(place, NOBODY)
        await deployment.start_api()
        endpoint = replace(deployment.endpoint, notification=TO_ADDRESS)
        return await loaded(deployment, endpoint, seconds, connections=CONNECTIONS)


async def accept_to_person(servers: Servers, seconds: float) -> Sample:
    """Each to another one, all of whom have chosen something."""
    async with servers.place("people") as place:
        deployment = await deploy_notifier(place, NOBODY)
        await deployment.start_api()
        await _declare(deployment)
        await _fill(place)
        endpoint = replace(deployment.endpoint, notification=TO_PERSON)
        return await loaded(deployment, endpoint, seconds, connections=CONNECTIONS)


async def _declare(deployment: Deployment) -> None:
    url = f"{deployment.url}/api/v1/categories/{_CATEGORY}"
    async with (
        aiohttp.ClientSession(headers=deployment.endpoint.headers) as session,
        session.put(url, json={"kind": "subscribed"}) as answer,
    ):
        if not answer.ok:
            raise LoadError(f"{answer.status}: {await answer.text()}")


async def _fill(place: Place) -> None:
    async with place.connection() as connection:
        await connection.execute("SET synchronous_commit = off")
        for statement in (_ADD_PEOPLE, _ADD_ADDRESSES):
            await connection.execute(statement, _PEOPLE)
        await connection.execute("ANALYZE recipients, recipient_addresses")


_ADD_PEOPLE = """
    INSERT INTO recipients
        (service, user_id, locale, time_zone, attributes, choices, etag, created_at, updated_at)
    SELECT 'bench', 'user' || n, 'de-AT', 'Europe/Vienna', '{"plan": "pro"}',
        '{"offers": {"*": false}, "news": {"sms": false}}', n, now(), now()
    FROM (SELECT generate_series(1, $1::bigint) AS n
          UNION ALL SELECT generate_series(10000000, 10000000 + $1::bigint)) AS numbers
"""
_ADD_ADDRESSES = """
    INSERT INTO recipient_addresses (service, user_id, channel, address, is_primary)
    SELECT service, user_id, 'email', user_id || '@example.com', true FROM recipients
    LIMIT 3 * $1::bigint
"""
