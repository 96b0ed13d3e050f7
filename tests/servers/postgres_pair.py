"""Two real PostgreSQL servers for tests: a primary, and a standby that follows it."""

import secrets
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.servers.postgres import DRIVER, FAST, SETTINGS
from tests.servers.postgres_process import (
    USER,
    Home,
    ServerProcess,
    copied_server,
    initialised_server,
    installed_programs,
    opened_home,
    run_statement,
    wait_ready,
    wheel_programs,
)
from tests.servers.processes import LOOPBACK, wait_until
from tests.servers.ways import first_open, started

_PATIENCE_S = 60.0
_INSTALL = (
    "No two PostgreSQL servers for the tests: install PostgreSQL (Debian: apt install postgresql)"
)


class Member:
    """One of the two."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._source = ""
        self.port = server.port

    @property
    def admin_url(self) -> str:
        """The URL of one who may do everything, on this server alone."""
        return self._server.admin_url

    def url(self, database: str) -> str:
        """The URL of a database on this server alone."""
        return _url(self._server, [self.port], database)

    def fetch(self, query: str, *arguments: object, database: str = "postgres") -> list[Any]:
        """Run a statement here as one who may do everything, and return its rows."""
        url = urllib.parse.urlsplit(self.admin_url)._replace(path=f"/{database}")
        return run_statement(url.geturl(), query, *arguments)

    def freeze(self) -> None:
        """Halt its processes: connections stay open and silent, new ones are not answered."""
        self._server.freeze()

    def thaw(self) -> None:
        """Let its processes go on."""
        self._server.thaw()

    def kill(self) -> None:
        """End it as a crash does, frozen or not."""
        self._server.kill()

    def start(self) -> None:
        """Start it after its end; returns when it takes sessions."""
        self._server.start()
        wait_ready(self._server.admin_url)

    def promote(self) -> None:
        """Make the standby a primary; returns when it takes writes."""
        self.fetch("SELECT pg_promote()")

    def follow(self, primary: "Member") -> None:
        """Begin anew, after its end, as another's standby; returns when it takes sessions."""
        self._server.copy(primary.admin_url)
        self.start()

    def stop_receiving(self) -> None:
        """Cut the standby off from its primary, so that it lags from now on."""
        (source,) = self.fetch("SHOW primary_conninfo")
        self._source = source[0]
        self._configure("primary_conninfo", "")

        def is_cut() -> bool:
            return not self.fetch("SELECT FROM pg_stat_wal_receiver")

        wait_until(is_cut, timeout_s=_PATIENCE_S, what="the standby cut off")

    def receive(self) -> None:
        """Let the standby that was cut off follow its primary again."""
        self._configure("primary_conninfo", self._source)

    def _configure(self, setting: str, value: str) -> None:
        escaped = value.replace("'", "''")
        self.fetch(f"ALTER SYSTEM SET {setting} = '{escaped}'")
        self.fetch("SELECT pg_reload_conf()")

    def wait_for_standby(self) -> None:
        """Return once a standby streams from this server, and has what was committed until now."""
        (now,) = self.fetch("SELECT pg_current_wal_lsn()::text")

        def has_it() -> bool:
            return bool(
                self.fetch(
                    "SELECT FROM pg_stat_replication"
                    " WHERE state = 'streaming' AND flush_lsn >= $1::text::pg_lsn",
                    now[0],
                )
            )

        wait_until(has_it, timeout_s=_PATIENCE_S, what="the standby up to date")

    def commit_on_standby(self) -> None:
        """Acknowledge commits from now on once the standby has them on disk."""
        self._configure("synchronous_standby_names", "*")

        def is_synchronous() -> bool:
            return bool(self.fetch("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"))

        wait_until(is_synchronous, timeout_s=_PATIENCE_S, what="a synchronous standby")

    def commit_alone(self) -> None:
        """Acknowledge commits from now on without a standby."""
        self._configure("synchronous_standby_names", "")


class PostgresPair:
    """A primary and its standby, as they were at the start: a promotion does not rename them."""

    def __init__(self, primary: Member, standby: Member, url: str) -> None:
        self.primary = primary
        self.standby = standby
        self._url = url

    def create_database(self) -> str:
        """Make a database, and return its name; the standby gets it."""
        name = f"test_{secrets.token_hex(6)}"
        self.primary.fetch(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return name

    def url(self, database: str) -> str:
        """The URL of a database on whichever of both takes writes: it names both hosts."""
        return urllib.parse.urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def fail_over(self) -> None:
        """Kill the primary and promote the standby; returns when that takes writes."""
        self.primary.kill()
        self.standby.promote()


@contextmanager
def private_postgres_pair(
    *, synchronous: bool, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[PostgresPair]:
    """Yield a pair that nobody else uses, and end it with all its processes and files.

    Args:
        synchronous: the primary acknowledges a commit once its standby has it.
        settings: of both servers, over those that suit tests.

    Raises:
        ServiceUnavailableError: no PostgreSQL's programs are here.
    """
    chosen = {**SETTINGS, **FAST, **settings}
    ways = [partial(_pair, find, chosen) for find in (installed_programs, wheel_programs)]
    with first_open(ways, install=_INSTALL) as pair:
        if synchronous:
            pair.primary.commit_on_standby()
        yield pair


def _pair(
    find: Callable[[], Path], settings: Mapping[str, str]
) -> AbstractContextManager[PostgresPair]:
    return started(partial(_started, find(), settings))


@contextmanager
def _started(programs: Path, settings: Mapping[str, str]) -> Iterator[PostgresPair]:
    with opened_home(programs) as home:
        pair = _paired(home, settings)
        pair.primary.wait_for_standby()
        yield pair


def _paired(home: Home, settings: Mapping[str, str]) -> PostgresPair:
    first = initialised_server(home, "primary", settings)
    primary = Member(first)
    primary.start()
    second = copied_server(home, "standby", first, settings)
    standby = Member(second)
    standby.start()
    url = _url(first, [first.port, second.port], "postgres")
    return PostgresPair(primary, standby, url)


def _url(server: ServerProcess, ports: list[int], database: str) -> str:
    hosts = ",".join(f"{LOOPBACK}:{port}" for port in ports)
    return f"{DRIVER}://{USER}:{server.password}@{hosts}/{database}"
