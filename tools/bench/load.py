"""Notifications that wait before a measurement begins: accepted and in the queue."""

import asyncio
from collections.abc import Iterator
from itertools import islice

import aiohttp

from tests.waiting import require
from tools.bench.stacks import Deployment
from tools.bench.wrk import CONNECTIONS, NUMBER, Endpoint, LoadError

_PUBLISHED_S = 600


async def preload(deployment: Deployment, notifications: int, *, endpoint: Endpoint) -> None:
    """POST so many; returns when all of them lie in the queue."""
    await post_many(endpoint, notifications)

    async def all_ready() -> bool:
        return await deployment.place.ready_messages(deployment.queue) >= notifications

    await require(all_ready, timeout_s=_PUBLISHED_S, every_s=0.5, what="all notifications queued")


async def post_many(endpoint: Endpoint, notifications: int) -> None:
    """POST so many notifications, over many connections."""
    bodies = _bodies(endpoint, notifications)
    headers = {"Content-Type": "application/json", **endpoint.headers}
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(CONNECTIONS if endpoint.batch == 1 else 4):
            group.create_task(_post_each(session, endpoint.url, bodies))


async def _post_each(session: aiohttp.ClientSession, url: str, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        async with session.post(url, data=body) as answer:
            if answer.status != 202:
                raise LoadError(f"{answer.status}: {await answer.text()}")
            await answer.read()


def _bodies(endpoint: Endpoint, notifications: int) -> Iterator[bytes]:
    pattern = endpoint.pattern
    each = (pattern.replace(NUMBER, str(number)) for number in range(notifications))
    if endpoint.batch == 1:
        yield from (one.encode() for one in each)
        return
    while items := ",".join(islice(each, endpoint.batch)):
        yield f'{{"notifications":[{items}]}}'.encode()
