"""What the parts below notifier can do here: no service in Python can be faster."""

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
import aiohttp
import asyncpg
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from tests.servers.processes import LOOPBACK, free_port
from tests.waiting import require
from tools.bench.place import Place, Servers
from tools.bench.results import Sample
from tools.bench.wrk import Endpoint, post

_CALLERS = 64
_CONSUMERS = 32
_ROWS = 1_000
_ROW = "INSERT INTO t (id, a, b) VALUES ($1, 'user42@example.com', 'Your order is on its way.')"
_ROWS_OF = """
    INSERT INTO t (id, a, b) SELECT id, 'user42@example.com', 'Your order is on its way.'
    FROM unnest($1::uuid[]) AS id
"""


async def limits(servers: Servers, seconds: float) -> Sample:
    """Each part alone, for so long."""
    async with servers.place("limits") as place:
        return {
            "no-op POST/s, uvicorn and Starlette": await _no_op(place, seconds),
            "confirmed publishes/s, aio-pika": await _publishes(place, seconds),
            "consumed and acknowledged/s, prefetch 1 on 32 channels": await _consumes(place),
            "rows/s, asyncpg, 1,000 a statement": await _rows(place, seconds),
            "single-row commits/s, asyncpg": await _commits(place, seconds),
        }


async def _no_op(place: Place, seconds: float) -> float:
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", "tools.bench.nothing:app")
    options = ("--host", LOOPBACK, "--port", str(port), "--log-level", "warning")
    program = place.program("no-op", (*command, *options, "--no-access-log"), {})
    program.start()
    url = f"http://{LOOPBACK}:{port}/"

    async def answers() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.post(url, data=b"{}") as answer:
                return answer.status == 202
        except aiohttp.ClientError:
            return False

    await require(answers, timeout_s=30, what="the no-op application")
    answered = await post(place.servers.wrk, Endpoint(url=url, headers={}), seconds=seconds)
    await program.stop()
    return answered.per_s


async def _per_s(act: Callable[[], Awaitable[object]], callers: int, seconds: float) -> float:
    """How often so many callers get it done in a second."""
    done = 0
    until_s = time.monotonic() + seconds

    async def repeat() -> None:
        nonlocal done
        while time.monotonic() < until_s:
            await act()
            done += 1

    began_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(repeat())
    return done / (time.monotonic() - began_s)


@asynccontextmanager
async def _channel(place: Place) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect(place.amqp_url)
    async with connection:
        yield await connection.channel()


async def _publishes(place: Place, seconds: float) -> float:
    async with _channel(place) as channel:
        await channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
        exchange = channel.default_exchange
        message = aio_pika.Message(b"{}" * 40, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        return await _per_s(lambda: exchange.publish(message, "q"), _CALLERS, seconds)


async def _consumes(place: Place) -> float:
    """What was published, by consumers of one process."""
    waiting = await place.ready_messages("q")
    taken = 0
    all_taken = asyncio.Event()

    async def take(message: AbstractIncomingMessage) -> None:
        nonlocal taken
        await message.ack()
        taken += 1
        if taken == waiting:
            all_taken.set()

    connection = await aio_pika.connect(place.amqp_url)
    async with connection:
        began_s = time.monotonic()
        for _ in range(_CONSUMERS):
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=1)
            queue = await channel.get_queue("q")
            await queue.consume(take)
        await all_taken.wait()
        return waiting / (time.monotonic() - began_s)


async def _rows(place: Place, seconds: float) -> float:
    async with asyncpg.create_pool(place.dsn, min_size=4, max_size=4) as pool:
        await pool.execute("CREATE TABLE t (id uuid PRIMARY KEY, a text, b text)")

        async def insert() -> None:
            await pool.execute(_ROWS_OF, [secrets.token_hex(16) for _ in range(_ROWS)])

        return _ROWS * await _per_s(insert, 4, seconds)


async def _commits(place: Place, seconds: float) -> float:
    async with asyncpg.create_pool(place.dsn, min_size=_CONSUMERS, max_size=_CONSUMERS) as pool:
        return await _per_s(lambda: pool.execute(_ROW, secrets.token_hex(16)), _CONSUMERS, seconds)
