"""A way to a broker on which a confirmation can be lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_BASIC_ACK = b"\x00\x3c\x00\x50"


class LossyWay:
    """Forwards to the broker at `url`; with `loses_confirms`, it cuts the link in their place."""

    def __init__(self, url: str) -> None:
        self.loses_confirms = False
        self.lost = 0
        self._url = urlsplit(url)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def url(self) -> str:
        """The broker's URL by this way."""
        login = self._url.netloc.rpartition("@")[0]
        port = self._server.sockets[0].getsockname()[1]
        return self._url._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()

    async def open(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """End it, with its connections."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(self._url.hostname, self._url.port or 5672)
        except OSError:
            writer.transport.abort()
            return
        ways = {
            asyncio.create_task(self._pass_on(reader, back, is_answer=False)),
            asyncio.create_task(self._pass_on(there, writer, is_answer=True)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.transport.abort()
            back.transport.abort()

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(65_536):
                if is_answer and self.loses_confirms and _BASIC_ACK in chunk:
                    self.lost += 1
                    return
                target.write(chunk)
                await target.drain()


@asynccontextmanager
async def lossy_way_to(url: str) -> AsyncIterator[LossyWay]:
    """A way that is open."""
    way = LossyWay(url)
    await way.open()
    try:
        yield way
    finally:
        await way.close()
