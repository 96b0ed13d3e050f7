"""One process at a time on a SQLite file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from notifier.errors import SettingsError
from notifier.store.kit.address import PostgresAddress
from notifier.store.kit.opening import parse_url


@contextmanager
def sole_user(url: str) -> Iterator[None]:
    """Keep the SQLite file of `url` to this process until the block, or the process, ends.

    Only those who ask are kept out: commands may go on reading and writing. A PostgreSQL URL is
    left to others.

    Raises:
        SettingsError: another process has it; or its folder cannot be written.
    """
    parsed = parse_url(url)
    if isinstance(parsed, PostgresAddress) or parsed.database in (None, ":memory:"):
        yield
        return
    # Whatever links lead there, it is one file.
    file = Path(str(parsed.database)).resolve()
    try:
        descriptor = os.open(file.with_name(f"{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"{file.parent}: cannot be written ({error.strerror})") from error
    try:
        _lock(descriptor, file)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, file: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        raise SettingsError(
            f"{file.parent}: another notifier works in this folder (process {holder});"
            " stop it, or choose another folder"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
