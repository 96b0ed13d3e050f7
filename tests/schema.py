"""Databases whose schema is up to date: to run the revisions costs more than most tests do."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from notifier.store.upgrading import upgrade
from tests.servers.postgres import Postgres


def sqlite_database(path: Path) -> str:
    """Make a database in a new file, and return its URL."""
    path.write_bytes(_sqlite_file())
    return f"sqlite:///{path}"


@contextmanager
def postgres_database(server: Postgres) -> Iterator[str]:
    """Yield the URL of a database that lives as long as the block."""
    with server.database(postgres_template(server)) as url:
        yield url


def postgres_template(server: Postgres) -> str:
    """The name of what databases with the schema are copied from."""
    return server.create_template("notifier_with_schema", _upgrade)


@cache
def _sqlite_file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "notifier.db"
        _upgrade(f"sqlite:///{path}")
        return path.read_bytes()


def _upgrade(url: str) -> None:
    """Run the revisions, beside the loop of a test that has one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, upgrade(url)).result()
