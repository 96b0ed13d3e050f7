"""A connection to RabbitMQ that comes back by itself.

Reconnecting is done here and not by aio-pika's robust connection, so that a caller can tell at
once whether the broker is away, and can have a connection replaced that no longer answers.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias, TypeVar

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPChannelError
from pamqp.common import FieldTable

from notifier.errors import QueueUnavailableError
from notifier.queue.rabbitmq import reasons
from notifier.queue.rabbitmq.address import Endpoint, parse_broker
from notifier.queue.rabbitmq.dialling import AbortableConnection
from notifier.resolving import addresses_of

log = structlog.get_logger(__name__)

T = TypeVar("T")
Prepare: TypeAlias = Callable[[AbstractConnection], Awaitable[None]]
Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitSettings:
    """How to talk to RabbitMQ.

    `connection_name` is what operators see in the management UI. With `declare`, exchanges and
    queues that are missing are made; without, they are only looked for. `watch_s` is the interval
    at which a subscription compares itself with what the broker knows.
    """

    connection_name: str
    heartbeat_s: int = 10
    publish_timeout_s: float = 3
    call_timeout_s: float = 3
    watch_s: float = 5
    declare: bool = True


def _anywhere() -> int:
    return random.randrange(1_000)  # noqa: S311 - spreads clients over brokers


@dataclass(frozen=True, slots=True)
class Search:
    """How a broker is looked for: where among several to begin, and what addresses a name has."""

    first: Callable[[], int] = _anywhere
    resolve: Resolve = addresses_of


async def bounded(call: Awaitable[T], timeout_s: float) -> T:
    """Await a call to the broker for at most `timeout_s`, even if it resists cancellation.

    Raises:
        AMQPChannelError: the broker refused it (absent, other arguments, no permission).
        QueueUnavailableError: no answer.
    """
    task = asyncio.create_task(_await(call))
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_retrieve)
    return _answer(task)


async def _await(call: Awaitable[T]) -> T:
    return await call


def _answer(task: asyncio.Task[T]) -> T:
    if not task.done() or task.cancelled():
        raise QueueUnavailableError("the broker does not answer")
    try:
        return task.result()
    except AMQPChannelError:
        raise
    # aiormq rejects what waits on a lost connection with whatever ended it, a bare Exception too.
    except Exception as error:
        raise QueueUnavailableError("the connection to the broker was lost") from error


def _retrieve(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()


def new_channel(connection: AbstractConnection, *, confirms: bool) -> AbstractChannel:
    """A channel that is not open yet. Raises QueueUnavailableError on a closed connection."""
    try:
        return connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
    except RuntimeError as error:
        raise QueueUnavailableError("the connection to the broker is closed") from error


@asynccontextmanager
async def open_channel(
    connection: AbstractConnection, timeout_s: float
) -> AsyncIterator[AbstractChannel]:
    """A channel for a few calls, without publisher confirms. Raises as `bounded` does."""
    channel = new_channel(connection, confirms=False)
    await bounded(channel.initialize(), timeout_s)
    try:
        yield channel
    finally:
        await close_quietly(channel, timeout_s)


async def close_quietly(channel: AbstractChannel, timeout_s: float) -> None:
    """Close a channel, whatever the broker says or does not say to that."""
    with suppress(QueueUnavailableError, AMQPChannelError):
        await bounded(channel.close(), timeout_s)


async def _end(connection: AbortableConnection, timeout_s: float) -> None:
    """Close `connection`, by force if the broker does not take part."""
    closing = asyncio.create_task(connection.close())
    try:
        await asyncio.wait({closing}, timeout=timeout_s)
    finally:
        connection.abort()
        closing.add_done_callback(_retrieve)
        await asyncio.wait({closing}, timeout=timeout_s)


class Connection:
    """A connection, replaced whenever it is lost. `prepare` is called on each new one.

    Each attempt asks the next broker of the URL, and when all were asked the next address of each:
    one that takes connections and then says nothing holds up the others for one time-out.

    Raises:
        SettingsError: the URL is none of a broker.
    """

    def __init__(
        self,
        url: str,
        *,
        purpose: str,
        settings: RabbitSettings,
        prepare: Prepare,
        search: Search,
    ) -> None:
        self._address = parse_broker(url)
        self._tls = self._address.tls()
        self._resolve = search.resolve
        self._attempts = count(search.first())
        self._name = f"{settings.connection_name} {purpose}"
        self._where = {"connection": self._name}
        self._settings = settings
        self._prepare = prepare
        self._connection: AbortableConnection | None = None
        self._up = asyncio.Event()
        self._tried = asyncio.Event()
        self._lost = asyncio.Event()
        self.problem = "it does not answer"
        """Why there is no connection, while there is none."""

    @property
    def current(self) -> AbstractConnection | None:
        """The connection, or None while there is none."""
        return self._connection

    async def up(self) -> AbstractConnection:
        """Wait for the connection."""
        while self._connection is None:
            await self._up.wait()
        return self._connection

    async def tried(self) -> None:
        """Wait until the first attempt to connect has succeeded or failed."""
        await self._tried.wait()

    def drop(self, connection: AbstractConnection | None) -> None:
        """Replace `connection`, which no longer answers, if it is still the current one."""
        if connection is not None and connection is self._connection:
            log.warning("broker.connection_dropped", **self._where)
            self._connection.abort()
            self._down()
            self._lost.set()

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        delay_s = FIRST_DELAY_S
        while True:
            if await self._was_up():
                delay_s = FIRST_DELAY_S
            self._tried.set()
            await asyncio.sleep(delay_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    async def _was_up(self) -> bool:
        """Connect, and hold the connection until it is lost; whether there was one."""
        try:
            try:
                connection = await self._connect()
            except (QueueUnavailableError, AMQPChannelError) as error:
                self.problem = reasons.of_connecting(error)
                log.warning("broker.unreachable", **self._where, reason=self.problem)
                return False
            return await self._hold(connection)
        # A defect must not end the search for the broker, with all that waits for it, unseen.
        except Exception:
            log.exception("broker.link_crashed", connection=self._name)
            return False

    async def _connect(self) -> AbortableConnection:
        endpoint, turn = self._next()
        self._where = {"connection": self._name, "broker": str(endpoint)}
        properties: FieldTable = {"connection_name": self._name}
        timeout_s = self._settings.call_timeout_s
        # In an order that does not change from one attempt to the next.
        addresses = sorted(await bounded(self._resolve(endpoint.host), timeout_s))
        first = turn % len(addresses)
        call = aio_pika.connect(
            self._address.url(endpoint),
            ssl_context=self._tls,
            timeout=timeout_s,
            connection_class=AbortableConnection,
            addresses=[*addresses[first:], *addresses[:first]],
            client_properties=properties,
            heartbeat=self._settings.heartbeat_s,
        )
        return await bounded(call, timeout_s * 2)

    def _next(self) -> tuple[Endpoint, int]:
        """The broker to ask now, and how often all of them were asked before."""
        endpoints = self._address.endpoints
        turn, index = divmod(next(self._attempts), len(endpoints))
        return endpoints[index], turn

    async def _hold(self, connection: AbortableConnection) -> bool:
        self._lost = lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())
        if connection.transport is None or connection.transport.connection.is_closed:
            lost.set()
        try:
            await self._prepare(connection)
            self._connection = connection
            self._up.set()
            self._tried.set()
            log.info("broker.connected", **self._where)
            await lost.wait()
            self.problem = "the connection was lost"
            log.warning("broker.connection_lost", **self._where)
        except (QueueUnavailableError, AMQPChannelError) as error:
            self.problem = reasons.of_connecting(error)
            log.warning("broker.not_ready", **self._where, reason=self.problem)
            return False
        else:
            return True
        finally:
            self._down()
            await _end(connection, self._settings.call_timeout_s)

    def _down(self) -> None:
        self._connection = None
        self._up.clear()
