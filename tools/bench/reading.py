"""How long pages, the account and a status take among millions of notifications."""

import json
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tools.bench.place import Servers
from tools.bench.results import Sample, percentile
from tools.bench.scaling import fill, send_one
from tools.bench.stacks import PATH, Deployment, deploy_notifier

_PEOPLE = 1_000_000
_TIMES = 60
# Of what is in the past, all but one in fifty is of the service that asks.
_VARIED: Mapping[str, str] = {
    "service": "CASE WHEN g % 50 = 0 THEN 'service-' || g / 50 % 20 ELSE 'bench' END",
    "channel": "CASE WHEN g % 20 = 1 THEN 'sms' ELSE 'email' END",
    "status": "CASE WHEN g % 1000 = 7 THEN 'failed' WHEN g % 100 = 9 THEN 'delivered'"
    " ELSE 'sent' END",
    "dead_letter": "g % 1000 = 7",
    "recipient": f"'user' || g % {_PEOPLE} || '@example.com'",
    "user_id": f"CASE WHEN g % 2 = 0 THEN 'user-' || g % {_PEOPLE} END",
    "category": "CASE WHEN g % 10 = 0 THEN 'news' WHEN g = 3 THEN 'rare' END",
    # A quarter has any: which shop, in a half of these only far back, and an order of its own.
    "metadata": "CASE WHEN g % 4 = 0 THEN jsonb_build_object('order', g::text, 'shop',"
    " CASE WHEN g % 8 = 0 THEN 'all' WHEN g < 1000000 THEN 'old' ELSE 'new' END) END",
}
_ACCOUNT = "/api/v1/account"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that reads; `{n}` stands for one of the notifications, `{p}` for a person."""

    path: str
    is_of_all: bool = False
    """By an operator, of all services."""


ASKS: Mapping[str, Ask] = {
    "newest": Ask(PATH),
    "a status": Ask(f"{PATH}/{{id}}/status"),
    "type=sms": Ask(f"{PATH}?type=sms"),
    "type of which there is none": Ask(f"{PATH}?type=in_app"),
    "status=failed": Ask(f"{PATH}?status=failed"),
    "status=failed, of a type of which there is none": Ask(f"{PATH}?status=failed&type=in_app"),
    "status=pending, of which there is none": Ask(f"{PATH}?status=pending"),
    "status=sent, before 2025-02": Ask(f"{PATH}?status=sent&created_before=2025-02-01T00:00:00Z"),
    "created_from=2025-02": Ask(f"{PATH}?created_from=2025-02-01T00:00:00Z"),
    "a week of 2025": Ask(
        f"{PATH}?created_from=2025-01-10T00:00:00Z&created_before=2025-01-17T00:00:00Z"
    ),
    "recipient": Ask(f"{PATH}?recipient=user{{p}}@example.com"),
    "recipient that nobody is": Ask(f"{PATH}?recipient=nobody@example.com"),
    "user_id": Ask(f"{PATH}?user_id=user-{{p}}"),
    "category=news": Ask(f"{PATH}?category=news"),
    "category that one has": Ask(f"{PATH}?category=rare"),
    "metadata that one has": Ask(f"{PATH}?metadata.order={{n}}"),
    "metadata that an eighth has": Ask(f"{PATH}?metadata.shop=all"),
    "metadata that only old ones have": Ask(f"{PATH}?metadata.shop=old"),
    "account": Ask(_ACCOUNT),
    "all services: newest": Ask(PATH, is_of_all=True),
    "all services: status=failed": Ask(f"{PATH}?status=failed", is_of_all=True),
    "all services: status=sent, before 2025-02": Ask(
        f"{PATH}?status=sent&created_before=2025-02-01T00:00:00Z", is_of_all=True
    ),
    "all services: recipient": Ask(f"{PATH}?recipient=user{{p}}@example.com", is_of_all=True),
    "all services: metadata that one has": Ask(f"{PATH}?metadata.order={{n}}", is_of_all=True),
    "all services: account": Ask(_ACCOUNT, is_of_all=True),
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads among so many notifications."""

    deployment: Deployment
    count: int
    ids: list[str]

    async def ask(self, ask: Ask) -> Sample:
        """Ask so many times, one after the other, each time for others where there are others."""
        endpoint = self.deployment.operator if ask.is_of_all else self.deployment.endpoint
        assert endpoint is not None
        chance = random.Random(ask.path)  # noqa: S311  the same in each run
        async with aiohttp.ClientSession(headers=endpoint.headers) as session:
            took_ms = [await self._once(session, ask, chance) for _ in range(_TIMES)]
        return {
            "p50_ms": percentile(took_ms, 0.5),
            "p99_ms": percentile(took_ms, 0.99),
            "first, ms": took_ms[0],
        }

    async def _once(self, session: aiohttp.ClientSession, ask: Ask, chance: random.Random) -> float:
        path = ask.path.format(
            id=chance.choice(self.ids),
            # Of those that have metadata and are of the service that asks.
            n=4 * chance.randrange(self.count // 4) or 4,
            p=2 * chance.randrange(_PEOPLE // 2),
        )
        began_s = time.perf_counter()
        async with session.get(f"{self.deployment.url}{path}") as answer:
            json.loads(await answer.read())
            answer.raise_for_status()
        return 1e3 * (time.perf_counter() - began_s)


@asynccontextmanager
async def open_reader(
    servers: Servers, old: int, say: Callable[[str], None]
) -> AsyncIterator[Reader]:
    """A notifier with so many notifications of many kinds, and somebody who reads them."""
    async with servers.place("reads") as place:
        sink = await place.sink()
        deployment = await deploy_notifier(place, sink.port)
        await send_one(deployment)
        await fill(place, old, say, _VARIED)
        async with place.connection() as connection:
            ids = await connection.fetchval(_SOME_IDS)
        await deployment.start_api()
        yield Reader(deployment, old, ids)


_SOME_IDS = """
    SELECT array_agg(id::text) FROM (
        SELECT id FROM notifications TABLESAMPLE SYSTEM (0.1) WHERE service = 'bench' LIMIT 1000
    ) AS chosen
"""
