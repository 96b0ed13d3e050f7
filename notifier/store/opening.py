"""Which database a URL names."""

from contextlib import AbstractAsyncContextManager

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from notifier.errors import SettingsError
from notifier.store.database import Database
from notifier.store.postgres import open_postgres
from notifier.store.sqlite import open_sqlite

_OPEN = {
    "postgresql": open_postgres,
    "postgresql+asyncpg": open_postgres,
    "sqlite": open_sqlite,
    "sqlite+aiosqlite": open_sqlite,
}


def open_database(url: str) -> AbstractAsyncContextManager[Database]:
    """Open the database of a `postgresql://` or `sqlite:///path` URL; connects when first used.

    Raises:
        SettingsError: no such URL, or its driver is not installed.
    """
    parsed = parse_url(url)
    return _OPEN[parsed.drivername](parsed)


def parse_url(url: str) -> URL:
    """Return the parsed URL of a database that notifier can use.

    Raises:
        SettingsError: it is none; the message does not quote it.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _OPEN or not parsed.database:
        raise SettingsError(
            "NOTIFIER_DATABASE_URL: expected postgresql://user:password@host/name "
            "or sqlite:///path/to/file"
        )
    return parsed
