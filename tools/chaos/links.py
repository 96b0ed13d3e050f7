"""TCP links of the run's own, between notifier and what it needs, that can be cut or stalled."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress

_CHUNK_BYTES = 262_144


class Link:
    """Passes bytes to a server on loopback until told otherwise.

    `cut` ends all connections and refuses new ones; `stall` keeps them and passes nothing, as a
    network that swallows packets does. `restore` ends both.
    """

    def __init__(self, host: str, target_port: int) -> None:
        self.port = 0
        self._target = (host, target_port)
        self._passes = asyncio.Event()
        self._passes.set()
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """End every connection at once and refuse new ones."""
        self._is_cut = True
        self._abort()

    def stall(self) -> None:
        """Pass nothing on; connections stay open, and new ones hear nothing."""
        self._passes.clear()

    def restore(self) -> None:
        """Pass everything on again, also what was held back."""
        self._is_cut = False
        self._passes.set()

    def close(self) -> None:
        """End for good."""
        self.restore()
        self.cut()

    def _abort(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        await self._passes.wait()
        try:
            if self._is_cut:
                raise ConnectionRefusedError
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there_writer}
        self._open |= ends
        # asyncio reports a cancelled connection as an error; at the end all of them are.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        self._open -= ends

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # uvloop's way of saying that the other direction has closed it.
        with suppress(OSError, RuntimeError):
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._passes.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


class Links:
    """Links that are cut, stalled and restored together."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links = tuple(links)

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links)

    def cut(self) -> None:
        """Cut each."""
        for link in self:
            link.cut()

    def stall(self) -> None:
        """Stall each."""
        for link in self:
            link.stall()

    def restore(self) -> None:
        """Restore each."""
        for link in self:
            link.restore()


@asynccontextmanager
async def open_link(host: str, target_port: int) -> AsyncIterator[Link]:
    """Listen on a free loopback port for connections to `target_port`."""
    link = Link(host, target_port)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        link.close()
