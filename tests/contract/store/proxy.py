"""A link to a database that can be cut, or fall silent."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url

# Of the protocol's messages Parse and Bind: which statement is prepared, and which is run.
_PREPARES_WRITE = re.compile(rb"P.{4}(__asyncpg_\w+)\0WITH[^\0]*INSERT INTO", re.DOTALL)
_RUNS = re.compile(rb"B.{4}\0(__asyncpg_\w+)\0", re.DOTALL)


class Session:
    """What one connection asks for: whether its next answer tells of a commit."""

    def __init__(self) -> None:
        self._is_in_transaction = False
        self._writing: set[bytes] = set()

    def commits(self, chunk: bytes) -> bool:
        """Whether this makes the database commit: a COMMIT, or a statement that needs none."""
        self._writing.update(_PREPARES_WRITE.findall(chunk))
        if b"BEGIN" in chunk:
            self._is_in_transaction = True
        if b"ROLLBACK;" in chunk or b"COMMIT;" in chunk:
            self._is_in_transaction = False
        is_writing = not self._writing.isdisjoint(_RUNS.findall(chunk))
        return b"COMMIT;" in chunk or (is_writing and not self._is_in_transaction)


class Link:
    """Passes bytes on while `passes` is set; `cut` ends its connections.

    With `loses_commits` set, a commit reaches the database and its answer is lost with the
    connection. `round_trips` counts what the database was asked, while that is small.
    """

    def __init__(self, host: str, port: int) -> None:
        self.passes = asyncio.Event()
        self.passes.set()
        self.loses_commits = False
        self.round_trips = 0
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self.passes.wait()
            other_reader, other_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(other_writer)
        is_committing = asyncio.Event()
        await asyncio.gather(
            self._ask(reader, other_writer, is_committing),
            self._answer(other_reader, writer, is_committing),
        )

    async def end(self) -> None:
        """Pass on what waits, and end its connections: those too that are only being made."""
        self.passes.set()
        while self._serving:
            self.cut()
            await asyncio.wait(self._serving, timeout=0.1)
        self.cut()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        is_committing: asyncio.Event,
    ) -> None:
        session = Session()
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                await self.passes.wait()
                self.round_trips += 1
                if session.commits(chunk) and self.loses_commits:
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

    def lead_to(self, port: int) -> None:
        """Join connections from now on to what listens there; others stay as they are."""
        self._target = (self._target[0], port)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def linked(
    url: str, *, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[tuple[str, Link]]:
    """Yield the URL of a database behind a link, at a free port if none is given, and the link."""
    target = make_url(url)
    link = Link(str(target.host), int(target.port or 5432))
    server = await asyncio.start_server(link.serve, address, port)
    port = server.sockets[0].getsockname()[1]
    try:
        there = target.set(host=address, port=port)
        yield there.render_as_string(hide_password=False), link
    finally:
        server.close()
        await link.end()
        await server.wait_closed()
