"""A link to a database that can be cut, or fall silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url


class Link:
    """Passes bytes on while `passes` is set; `cut` ends its connections.

    With `loses_commits` set, a commit reaches the database and its answer is lost with the
    connection.
    """

    def __init__(self, host: str, port: int) -> None:
        self.passes = asyncio.Event()
        self.passes.set()
        self.loses_commits = False
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.passes.wait()
        other_reader, other_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, other_writer}
        is_committing = asyncio.Event()
        await asyncio.gather(
            self._ask(reader, other_writer, is_committing),
            self._answer(other_reader, writer, is_committing),
        )

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        is_committing: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                await self.passes.wait()
                if self.loses_commits and b"COMMIT;" in chunk:
                    is_committing.set()
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def _answer(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        is_committing: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                await self.passes.wait()
                if is_committing.is_set():
                    writer.transport.abort()
                    break
                writer.write(chunk)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[tuple[str, Link]]:
    """Yield the URL of a database behind a link, and the link."""
    target = make_url(url)
    link = Link(str(target.host), int(target.port or 5432))
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        there = target.set(host="127.0.0.1", port=port)
        yield there.render_as_string(hide_password=False), link
    finally:
        link.passes.set()
        link.cut()
        server.close()
        await server.wait_closed()
