"""A way to a broker that can be cut, frozen and closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Gateway:
    """Forwards TCP connections from a port of its own to the server at `url`.

    What the server says is passed on as `altered` makes it.
    """

    def __init__(self, url: str, altered: Callable[[bytes], bytes] = bytes) -> None:
        self._url = urlsplit(url)
        self._altered = altered
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        """The server's URL by way of this gateway."""
        login = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{login}@127.0.0.1:{self._port}").geturl()

    async def open(self) -> None:
        """Take connections, always at the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take no more connections and cut those there are."""
        if self._server is not None:
            self._server.close()
        self.cut()

    async def ended(self) -> None:
        """Wait until nothing is passed on any more."""
        if self._serving:
            await asyncio.wait(self._serving, timeout=5)

    def cut(self) -> None:
        """End all connections at once."""
        for writer in self._open:
            writer.transport.abort()

    def freeze(self) -> None:
        """Pass nothing on, and end nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass everything on again."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(
                self._url.hostname, self._url.port or 5672
            )
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        try:
            await asyncio.gather(
                self._pass_on(reader, far_writer, bytes),
                self._pass_on(far_reader, writer, self._altered),
            )
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        altered: Callable[[bytes], bytes],
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65_536):
                await self._flowing.wait()
                target.write(altered(chunk))
                await target.drain()
        target.close()


@asynccontextmanager
async def gateway_to(url: str, altered: Callable[[bytes], bytes] = bytes) -> AsyncIterator[Gateway]:
    """A gateway that is open."""
    gateway = Gateway(url, altered)
    await gateway.open()
    try:
        yield gateway
    finally:
        gateway.thaw()
        await gateway.close()
        await gateway.ended()
