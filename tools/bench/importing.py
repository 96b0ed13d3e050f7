"""What an import of many people costs, and how long a send takes meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import orjson

from tools.bench.accepting import NOBODY
from tools.bench.place import Servers
from tools.bench.processes import CpuMeter, memory_of
from tools.bench.results import Sample, percentile
from tools.bench.stacks import Deployment, deploy_notifier
from tools.bench.wrk import LoadError

_PATIENCE_S = 900
_PER_S = 20
_LINES = 1_000


async def import_people(servers: Servers, people: int) -> Sample:
    """Import so many who are new and then the same once more, while twenty a second are sent."""
    async with servers.place("import") as place:
        deployment = await deploy_notifier(place, NOBODY)
        await deployment.start_api()
        quiet_ms = await _answered_in(deployment, asyncio.create_task(asyncio.sleep(5)))
        new = await _measured(deployment, people)
        again = await _measured(deployment, people)
        if await place.value("SELECT count(*) FROM recipients") != people:
            raise LoadError("not everybody is there")
        return {
            **{f"new: {name}": value for name, value in new.items()},
            **{f"again: {name}": value for name, value in again.items()},
            "without: POST p99, ms": percentile(quiet_ms, 0.99),
            "API, MiB (RSS)": memory_of([deployment.api.pid]).rss_mib,
        }


async def _measured(deployment: Deployment, people: int) -> Sample:
    meter, began_s = CpuMeter({"API": deployment.api.pid}), time.monotonic()
    importing = asyncio.create_task(_import(deployment, people))
    took_ms = await _answered_in(deployment, importing)
    await importing
    took_s = time.monotonic() - began_s
    used = meter.read()
    return {
        "a second": people / took_s,
        "POST p50, ms": percentile(took_ms, 0.5),
        "POST p99, ms": percentile(took_ms, 0.99),
        **{
            f"CPU {name}, µs a person": 1e6 * used.get(name, 0) / people
            for name in ("API", "PostgreSQL")
        },
    }


async def _import(deployment: Deployment, people: int) -> None:
    url = f"{deployment.url}/api/v1/recipients/import"
    headers = {**deployment.endpoint.headers, "Content-Type": "application/x-ndjson"}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
        session.post(url, data=_lines(people)) as answer,
    ):
        told = await answer.json()
        if answer.status != 200 or told["rejected"]:
            raise LoadError(f"{answer.status}: {told}")


async def _lines(people: int) -> AsyncIterator[bytes]:
    for first in range(0, people, _LINES):
        yield b"".join(map(_line, range(first, min(first + _LINES, people))))


def _line(number: int) -> bytes:
    addresses: list[dict[str, object]] = [
        {"channel": "email", "address": f"user{number}@example.com", "is_primary": True},
        {"channel": "sms", "address": f"+49170{number:07}", "is_primary": True},
    ]
    person = {
        "user_id": f"user{number}",
        "locale": "de-AT",
        "time_zone": "Europe/Vienna",
        "attributes": {"plan": "pro", "seats": number % 10},
        "addresses": addresses,
    }
    return orjson.dumps(person) + b"\n"


async def _answered_in(deployment: Deployment, meanwhile: asyncio.Task[None]) -> list[float]:
    """How long each send took until it was answered, in ms."""
    took_ms: list[float] = []
    endpoint = deployment.endpoint
    headers = {"Content-Type": "application/json", **endpoint.headers}

    async def post_one(session: aiohttp.ClientSession, number: int) -> None:
        began_s = time.monotonic()
        async with session.post(endpoint.url, data=endpoint.body(number)) as answer:
            if answer.status != 202:
                raise LoadError(f"{answer.status}: {await answer.text()}")
        took_ms.append(1e3 * (time.monotonic() - began_s))

    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for number in _numbers(meanwhile):
            group.create_task(post_one(session, number))
            await asyncio.sleep(1 / _PER_S)
    return took_ms


def _numbers(meanwhile: asyncio.Task[None]) -> Iterator[int]:
    number = 0
    while not meanwhile.done():
        yield number
        number += 1
