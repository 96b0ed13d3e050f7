"""What notifications cost in a database that holds millions of old ones."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

import aiohttp

from tests.waiting import require
from tools.bench import statements
from tools.bench.load import post_many
from tools.bench.place import Place, Servers
from tools.bench.results import Sample
from tools.bench.stacks import PATH, Deployment, Slots, deploy_notifier
from tools.bench.wrk import post

_CHUNK = 250_000
_LOOKS = 200
_WARM_UP_S = 2
# One that was sent is copied, with its timeline, into the past.
_COPIED_ID = (
    "(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')"
    " || '7' || substr(md5('a' || g), 1, 3) || '8' || substr(md5('b' || g), 1, 15))::uuid"
)
_AT = "(timestamptz '2025-01-01' + g * interval '5 seconds')"
_TIMES = ("created_at", "updated_at", "due_at", "relay_at", "published_at", "sent_at")
COLUMNS = """
    SELECT array_agg(column_name::text ORDER BY ordinal_position)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1
"""
_SOME_IDS = "SELECT array_agg(id::text) FROM (SELECT id FROM notifications {} LIMIT $1) AS chosen"


@dataclass(frozen=True, slots=True)
class Scaled:
    """A notifier whose database holds so many old notifications."""

    deployment: Deployment
    slots: Slots

    async def run(self, seconds: float) -> Sample:
        """Accept for so long, look at some, and send all, counting what the database does."""
        deployment, place = self.deployment, self.deployment.place
        await deployment.start_api()
        wrk = place.servers.wrk
        await post(wrk, deployment.endpoint, seconds=_WARM_UP_S)
        await _published(place)
        before = await _pending(place)
        await statements.begin(place)
        answered = await post(wrk, deployment.endpoint, seconds=seconds, first=10_000_000)
        await _published(place)
        await statements.write_slowest(place, "accept")
        accepting, accepted = await statements.totals(place), await _pending(place) - before
        looking_ms = await self._look()
        await deployment.stop_api()
        sending, sent_per_s = await self._send(int(before + accepted))
        return {
            "accepted per_s": answered.per_s,
            "sent per_s": sent_per_s,
            "accept, µs in the database": 1e3 * accepting.total_ms / accepted,
            "claim and finish, µs in the database": 1e3 * sending / (before + accepted),
            "status query, ms in the database": looking_ms,
        }

    async def _look(self) -> float:
        """Ask for the status of some; the mean time of the slowest statement."""
        place = self.deployment.place
        async with place.connection() as connection:
            # An index that nothing else keeps in memory gives them in no order of time.
            query = _SOME_IDS.format("TABLESAMPLE SYSTEM (1)" if await _is_large(place) else "")
            ids = await connection.fetchval(query, _LOOKS)
        await statements.begin(place)
        headers = dict(self.deployment.endpoint.headers)
        async with aiohttp.ClientSession(headers=headers) as session:
            for id in ids:
                async with session.get(f"{self.deployment.url}{PATH}/{id}") as answer:
                    answer.raise_for_status()
        return (await statements.totals(place)).slowest_ms

    async def _send(self, waiting: int) -> tuple[float, float]:
        """Send what waits; milliseconds of the database, and how many a second."""
        place = self.deployment.place
        began = await place.value("SELECT extract(epoch FROM clock_timestamp())")
        await statements.begin(place)
        workers = self.deployment.workers(self.slots)
        workers.start()
        await _finished(self.deployment)
        used = await statements.totals(place)
        await statements.write_slowest(place, "claim-and-finish")
        span_s = await place.value(_SPAN_SINCE, began)
        await workers.stop()
        return used.total_ms, waiting / span_s


# Each of these has an index of its own: among millions of rows, asking must cost nothing.
_UNPUBLISHED = (
    "SELECT count(*) FROM notifications WHERE status = 'pending' AND published_at IS NULL"
)
_PUBLISHED = (
    "SELECT count(*) FROM notifications WHERE status = 'pending' AND published_at IS NOT NULL"
)
_PROCESSING = "SELECT count(*) FROM notifications WHERE status = 'processing'"
_SPAN_SINCE = """
    SELECT extract(epoch FROM max(sent_at) - min(sent_at)) FROM notifications
    WHERE sent_at > to_timestamp($1)
"""


async def _pending(place: Place) -> float:
    return await place.value(_UNPUBLISHED) + await place.value(_PUBLISHED)


async def _finished(deployment: Deployment) -> None:
    """Wait until nothing is pending or processing."""
    place = deployment.place

    async def no_message() -> bool:
        return await place.ready_messages(deployment.queue) == 0

    async def all_are() -> bool:
        return await _pending(place) + await place.value(_PROCESSING) == 0

    await require(no_message, timeout_s=600, every_s=0.5, what="an empty queue")
    await require(all_are, timeout_s=60, every_s=0.2, what="all finished")


async def _is_large(place: Place) -> bool:
    return await place.value("SELECT pg_relation_size('notifications')") > 100_000_000


async def _published(place: Place) -> None:
    async def all_are() -> bool:
        return await place.value(_UNPUBLISHED) == 0

    await require(all_are, timeout_s=120, every_s=0.5, what="all published")


@asynccontextmanager
async def open_scaled(
    servers: Servers, slots: Slots, old: int, say: Callable[[str], None]
) -> AsyncIterator[Scaled]:
    """A notifier with so many old notifications, none of its processes running."""
    async with servers.place("scale") as place:
        sink = await place.sink()
        deployment = await deploy_notifier(place, sink.port)
        await statements.count_statements(place)
        await send_one(deployment)
        await fill(place, old, say)
        yield Scaled(deployment, slots)


async def send_one(deployment: Deployment) -> None:
    """Send one notification, of which others are copies; no process runs afterwards."""
    await deployment.start_api()
    await post_many(deployment.endpoint, 1)
    await _published(deployment.place)
    await deployment.stop_api()
    workers = deployment.workers(Slots(1, 1))
    workers.start()
    await _finished(deployment)
    await workers.stop()


async def fill(
    place: Place,
    old: int,
    say: Callable[[str], None],
    varied: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Copy what was sent into the past so many times, with other values in the `varied` columns.

    These are SQL in which `g` is the number of a copy.
    """
    async with place.connection() as connection:
        # A crash here costs the whole run anyway.
        await connection.execute("SET synchronous_commit = off")
        notification_columns = await connection.fetchval(COLUMNS, "notifications")
        event_columns = await connection.fetchval(COLUMNS, "notification_events")
        await connection.execute("CREATE TEMP TABLE sample AS SELECT * FROM notifications")
        await connection.execute("CREATE TEMP TABLE timeline AS SELECT * FROM notification_events")
        notifications = _copying("notifications", "sample", notification_columns, varied)
        events = _copying("notification_events", "timeline", event_columns, varied)
        for first in range(0, old, _CHUNK):
            numbers = (first, min(first + _CHUNK, old) - 1)
            await connection.execute(notifications, *numbers)
            await connection.execute(events, *numbers)
            say(f"  {numbers[1] + 1:,} of {old:,} old notifications")
        if old:
            # A new installation has no statistics either.
            await connection.execute("VACUUM ANALYZE")
            size = await connection.fetchval(_SIZE)
            say(f"  {size / old:,.0f} bytes a notification")
        await connection.execute("CHECKPOINT")


_SIZE = """
    SELECT pg_total_relation_size('notifications') + pg_total_relation_size('notification_events')
"""


def _copying(table: str, source: str, columns: list[str], varied: Mapping[str, str]) -> str:
    """A statement that copies the rows of `source` once for each number from $1 to $2."""
    id = _COPIED_ID.format(at=_AT)
    replaced = {name: f"s.{name} - s.{_TIMES[0]} + {_AT}" for name in _TIMES}
    if table == "notifications":
        replaced |= {"id": id, "recipient": "'user' || g % 1000000 || '@example.com'"}
    else:
        replaced = {"notification_id": id, "at": _AT}
        columns = [name for name in columns if name != "id"]
    replaced |= {name: varied[name] for name in columns if name in varied}
    values = ", ".join(replaced.get(name, f"s.{name}") for name in columns)
    order = "" if table == "notifications" else "ORDER BY g, s.id"
    return (
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608  names of the schema
        f" SELECT {values} FROM {source} AS s, generate_series($1::bigint, $2::bigint) AS g {order}"
    )
