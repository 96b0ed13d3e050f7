"""A client of a broker that sees every frame: what a library makes of them is not asked here."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar, cast
from urllib.parse import unquote, urlsplit

import pamqp.frame
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.commands import Basic, Channel, Confirm, Connection, Queue
from pamqp.common import FieldTable
from pamqp.frame import FrameTypes
from pamqp.header import ContentHeader, ProtocolHeader
from pamqp.heartbeat import Heartbeat

from tests.patience import AT_ALL_S
from tests.waiting import require

Answer = TypeVar("Answer", bound=Frame)

QUORUM: FieldTable = {"x-queue-type": "quorum"}
_HEAD_BYTES = 7
_CHANNEL_MAX = 2_047
_FRAME_MAX = 131_072
_CAPABILITIES: FieldTable = {
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that the broker sent, and the method that brought it."""

    method: Basic.Deliver | Basic.GetOk | Basic.Return
    properties: Basic.Properties
    body: bytes

    @property
    def tag(self) -> int:
        """Its delivery tag."""
        assert not isinstance(self.method, Basic.Return)
        assert self.method.delivery_tag is not None
        return self.method.delivery_tag

    @property
    def is_again(self) -> bool:
        """Whether it is marked as delivered before."""
        return not isinstance(self.method, Basic.Return) and bool(self.method.redelivered)

    @property
    def headers(self) -> dict[str, object]:
        """Its headers."""
        return dict(self.properties.headers or {})


def count(answer: Queue.DeclareOk | Queue.DeleteOk | Queue.PurgeOk) -> int:
    """How many messages an answer tells of."""
    assert answer.message_count is not None
    return answer.message_count


class Ended(Exception):  # noqa: N818  what tests wait for
    """The broker ended the connection, or it was lost."""


class Line:
    """A channel of the client, open or not: what it sends and what it was sent."""

    def __init__(self, number: int, client: "Client") -> None:
        self.number = number
        self._client = client
        self._put_back: list[Frame | Mail] = []

    async def beside(self) -> "Line":
        """Another channel of the same connection, open."""
        return await self._client.line()

    def send(self, *frames: FrameTypes) -> None:
        """Send frames together."""
        self._client.send(self.number, *frames)

    async def next(self) -> Frame | Mail:
        """Take what comes next. Raises Ended: nothing will."""
        if self._put_back:
            return self._put_back.pop()
        return await self._client.next(self.number)

    def put_back(self, found: Frame | Mail) -> None:
        """Have this come next once more."""
        self._put_back.append(found)

    def send_body(self, body: bytes) -> None:
        """Send a part of a body."""
        self.send(ContentBody(body))

    async def await_method(self, kind: type[Answer]) -> Answer:
        """Take what comes next, which is of this kind."""
        found = await self.next()
        assert isinstance(found, kind), found
        return found

    async def await_mail(self) -> Mail:
        """Take what comes next, which is a message."""
        found = await self.next()
        assert isinstance(found, Mail), found
        return found

    async def bodies(self, count: int) -> list[bytes]:
        """The bodies of the next messages."""
        return [(await self.await_mail()).body for _ in range(count)]

    async def call(self, method: Frame, kind: type[Answer]) -> Answer:
        """Send a method and take the answer to it, which comes next."""
        self.send(method)
        return await self.await_method(kind)

    async def refused(self, method: Frame) -> Channel.Close:
        """Send a method for which the broker closes the channel, and agree to that."""
        closed = await self.call(method, Channel.Close)
        self.send(Channel.CloseOk())
        return closed

    async def open(self) -> None:
        """Open the channel."""
        await self.call(Channel.Open(), Channel.OpenOk)

    async def close(self) -> None:
        """Close the channel; what comes meanwhile is dropped."""
        self.send(Channel.Close(200, "", 0, 0))
        while not isinstance(await self.next(), Channel.CloseOk):
            pass

    async def declare(self, queue: str) -> Queue.DeclareOk:
        """Make a quorum queue."""
        return await self.call(
            Queue.Declare(queue=queue, durable=True, arguments=QUORUM), Queue.DeclareOk
        )

    async def look(self, queue: str) -> Queue.DeclareOk:
        """Look what is in a queue."""
        return await self.call(Queue.Declare(queue=queue, passive=True), Queue.DeclareOk)

    async def finds(self, queue: str, *, ready: int, consumers: int | None = None) -> None:
        """Wait until there are so many in a queue: what was not answered takes its time."""

        async def is_so() -> bool:
            found = await self.look(queue)
            return found.message_count == ready and consumers in (None, found.consumer_count)

        await require(is_so, timeout_s=AT_ALL_S, every_s=0.01, what=f"{ready} ready in {queue}")

    async def delete(self, queue: str) -> int:
        """Delete a queue; how many messages were ready in it."""
        return count(await self.call(Queue.Delete(queue=queue), Queue.DeleteOk))

    async def purge(self, queue: str) -> int:
        """Throw away what is ready in a queue; how many messages that were."""
        return count(await self.call(Queue.Purge(queue=queue), Queue.PurgeOk))

    async def select(self) -> None:
        """Have what is published confirmed."""
        await self.call(Confirm.Select(), Confirm.SelectOk)

    def write(
        self,
        key: str,
        body: bytes,
        *,
        exchange: str = "",
        properties: Basic.Properties | None = None,
    ) -> None:
        """Publish as mandatory, and wait for nothing."""
        self.send(
            Basic.Publish(exchange=exchange, routing_key=key, mandatory=True),
            ContentHeader(0, len(body), properties or Basic.Properties(delivery_mode=2)),
            *([ContentBody(body)] if body else []),
        )

    async def publish(self, key: str, *bodies: bytes) -> None:
        """Publish to a queue, one after the other, on a channel with confirms."""
        for body in bodies:
            self.write(key, body)
            await self.await_method(Basic.Ack)

    async def prefetch(self, count: int) -> None:
        """Bound what each consumer is sent, from now on."""
        await self.call(Basic.Qos(prefetch_count=count), Basic.QosOk)

    async def consume(self, queue: str, tag: str) -> None:
        """Begin to consume."""
        await self.call(Basic.Consume(queue=queue, consumer_tag=tag), Basic.ConsumeOk)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        self.send(Basic.Ack(tag, multiple))

    def nack(self, tag: int, *, multiple: bool = False, requeue: bool = True) -> None:
        self.send(Basic.Nack(tag, multiple, requeue))

    def reject(self, tag: int, *, requeue: bool) -> None:
        self.send(Basic.Reject(tag, requeue))


class Client:
    """One connection, on which nothing is done that was not asked for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._inboxes: defaultdict[int, asyncio.Queue[Frame | Mail | None]]
        self._inboxes = defaultdict(asyncio.Queue)
        self._lines = 0
        self.heartbeats = 0
        """How often the broker said that it is there."""
        self._beaten = asyncio.Event()
        self._sorting: asyncio.Task[None] | None = None

    async def greet(self, url: str, heartbeat_s: int) -> None:
        """Open the connection."""
        self._writer.write(ProtocolHeader().marshal())
        parts = urlsplit(url)
        login = f"\0{unquote(parts.username or '')}\0{unquote(parts.password or '')}"
        self._sorting = asyncio.create_task(self._sort())
        line = Line(0, self)
        await line.await_method(Connection.Start)
        properties: FieldTable = {"capabilities": _CAPABILITIES, "connection_name": "a script"}
        await line.call(Connection.StartOk(properties, "PLAIN", login, "en_US"), Connection.Tune)
        line.send(Connection.TuneOk(_CHANNEL_MAX, _FRAME_MAX, heartbeat_s))
        vhost = unquote(parts.path.removeprefix("/")) or "/"
        await line.call(Connection.Open(vhost), Connection.OpenOk)

    async def line(self) -> Line:
        """A new channel, open."""
        self._lines += 1
        line = Line(self._lines, self)
        await line.open()
        return line

    @property
    def peer(self) -> tuple[str, int]:
        """The address of the broker."""
        host, port, *_ = self._writer.get_extra_info("peername")
        return host, port

    @property
    def itself(self) -> Line:
        """What is said of the connection as a whole; heartbeats are left out."""
        return Line(0, self)

    def send(self, number: int, *frames: FrameTypes) -> None:
        self._writer.write(b"".join(pamqp.frame.marshal(frame, number) for frame in frames))

    async def next(self, number: int) -> Frame | Mail:
        async with asyncio.timeout(AT_ALL_S):
            found = await self._inboxes[number].get()
        if found is None:
            self._inboxes[number].put_nowait(None)
            raise Ended
        return found

    async def hears(self, count: int) -> None:
        """Wait for so many heartbeats."""
        async with asyncio.timeout(AT_ALL_S):
            while self.heartbeats < count:
                self._beaten.clear()
                await self._beaten.wait()

    async def cut(self) -> None:
        """Lose the socket."""
        self._writer.transport.abort()
        await self.close()

    async def close(self) -> None:
        """Close the socket, and say nothing of it."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        if self._sorting is not None:
            self._sorting.cancel()
            await asyncio.wait({self._sorting})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        await self.close()

    async def _sort(self) -> None:
        try:
            while True:
                number, frame = await self._frame()
                if isinstance(frame, Basic.Deliver | Basic.GetOk | Basic.Return):
                    self._inboxes[number].put_nowait(await self._mail(frame))
                elif isinstance(frame, Heartbeat):
                    self.heartbeats += 1
                    self._beaten.set()
                else:
                    self._inboxes[number].put_nowait(cast(Frame, frame))
        except (asyncio.IncompleteReadError, OSError):
            for number in range(self._lines + 1):
                self._inboxes[number].put_nowait(None)

    async def _mail(self, method: Basic.Deliver | Basic.GetOk | Basic.Return) -> Mail:
        _, header = await self._frame()
        assert isinstance(header, ContentHeader)
        assert header.properties is not None
        body = b""
        while len(body) < header.body_size:
            _, part = await self._frame()
            assert isinstance(part, ContentBody)
            body += part.value
        return Mail(method, header.properties, body)

    async def _frame(self) -> tuple[int, FrameTypes]:
        head = await self._reader.readexactly(_HEAD_BYTES)
        rest = await self._reader.readexactly(int.from_bytes(head[3:], "big") + 1)
        _, number, frame = pamqp.frame.unmarshal(head + rest)
        return number, frame


@asynccontextmanager
async def connected(url: str, *, heartbeat_s: int = 0) -> AsyncIterator[Client]:
    """A client of the broker at `url`."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    async with Client(reader, writer) as client:
        await client.greet(url, heartbeat_s)
        yield client
