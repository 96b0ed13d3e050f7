"""TCP links of the run's own, between notifier and what it needs, that can be cut or stalled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK_BYTES = 262_144


class Link:
    """Passes bytes to a server on loopback until told otherwise.

    `cut` ends all connections and refuses new ones; `stall` keeps them and passes nothing, as a
    network that swallows packets does. `restore` ends both.
    """

    def __init__(self, name: str, host: str, target_port: int) -> None:
        self.name = name
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


@asynccontextmanager
async def open_link(name: str, host: str, target_port: int) -> AsyncIterator[Link]:
    """Listen on a free loopback port for connections to `target_port`."""
    link = Link(name, host, target_port)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        link.close()
