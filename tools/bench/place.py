"""Where a stack is measured: its own database, virtual host and folder, on the run's servers."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import asyncpg

from tests.programs import Base, Program
from tests.servers.postgres import Postgres, private_postgres
from tests.servers.rabbitmq import RabbitMq, private_rabbitmq
from tests.servers.reaper import reaping
from tests.witness import witness_of
from tools.bench.sink import Sink
from tools.bench.tools import Tool, smtp_sink, wrk

# As a small server would be set up. What is counted by pg_stat_statements costs a little, so it is
# off but where a measurement asks for it.
_POSTGRES = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "none",
}
_BROKER_MEMORY_MB = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What all stacks are measured on."""

    postgres: Postgres
    rabbitmq: RabbitMq
    wrk: Tool
    smtp_sink: Tool
    folder: Path
    _turns: Iterator[int] = field(default_factory=count)

    @asynccontextmanager
    async def place(self, name: str, *, template: str = "template0") -> AsyncIterator["Place"]:
        """A place for one turn; its processes end with it. Logs are under the run's folder."""
        folder = self.folder / f"{next(self._turns):03}-{name}"
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            database_url = stack.enter_context(self.postgres.database(template))
            amqp_url = stack.enter_context(self.rabbitmq.vhost())
            # Last in, first out: processes end before their database goes.
            base = Base(stack.enter_context(reaping()), folder)
            yield Place(
                servers=self,
                base=base,
                dsn=database_url.replace("+asyncpg", ""),
                amqp_url=amqp_url,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One stack's turn."""

    servers: Servers
    base: Base
    dsn: str
    amqp_url: str

    @property
    def management_url(self) -> str:
        """Where the broker's management API answers."""
        return self.servers.rabbitmq.management_url

    def program(self, name: str, command: tuple[str, ...], environ: Mapping[str, str]) -> Program:
        """A program that ends with the place."""
        return Program(name, command, environ, self.base)

    async def sink(self, *, answers_after_s: int = 0) -> Sink:
        """A started SMTP server that ends with the place."""
        sink = Sink(self.servers.smtp_sink, self.base, answers_after_s=answers_after_s)
        await sink.start()
        return sink

    async def ready_messages(self, queue: str) -> int:
        """How many messages of a queue nobody has yet."""

        def count_them() -> int:
            with witness_of(self.amqp_url) as witness:
                return witness.ready(queue)

        return await asyncio.to_thread(count_them)

    async def consumers(self, queue: str) -> int:
        """How many consumers a queue has."""

        def count_them() -> int:
            with witness_of(self.amqp_url) as witness:
                return witness.consumers(queue)

        return await asyncio.to_thread(count_them)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A connection to the place's database, whose own statements are never counted."""
        apart = {"pg_stat_statements.track": "none"}
        connection = await asyncpg.connect(self.dsn, server_settings=apart)
        try:
            yield connection
        finally:
            await connection.close()

    async def value(self, query: str, *arguments: object) -> float:
        """The one number that a query returns; 0 for NULL."""
        async with self.connection() as connection:
            return float(await connection.fetchval(query, *arguments) or 0)


@contextmanager
def open_servers(folder: Path) -> Iterator[Servers]:
    """Start PostgreSQL, with fsync on, and RabbitMQ; empties the folder."""
    shutil.rmtree(folder / "logs", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        private_postgres(durable=True, settings=_POSTGRES) as postgres,
        private_rabbitmq(memory_mb=_BROKER_MEMORY_MB) as rabbitmq,
    ):
        yield Servers(
            postgres=postgres,
            rabbitmq=rabbitmq,
            wrk=wrk(),
            smtp_sink=smtp_sink(),
            folder=folder / "logs",
        )
