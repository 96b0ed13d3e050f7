"""Which database a URL names."""

from contextlib import AbstractAsyncContextManager

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from notifier.errors import SettingsError
from notifier.store.kit.address import PostgresAddress, is_postgres, parse_address
from notifier.store.kit.database import Database, Patience
from notifier.store.kit.postgres import open_postgres
from notifier.store.kit.sqlite import open_sqlite

_SQLITE = ("sqlite", "sqlite+aiosqlite")
_PATIENCE = Patience()


def open_database(
    url: str, patience: Patience = _PATIENCE
) -> AbstractAsyncContextManager[Database]:
    """Open the database of a `postgresql://` or `sqlite:///path` URL; connects when first used.

    Raises:
        SettingsError: no such URL, or its driver is not installed.
    """
    parsed = parse_url(url)
    if isinstance(parsed, PostgresAddress):
        return open_postgres(parsed, patience)
    return open_sqlite(parsed, patience)


def parse_url(url: str) -> PostgresAddress | URL:
    """Return the address of a PostgreSQL server, or the URL of a SQLite file.

    Raises:
        SettingsError: it is neither; the message does not quote it.
    """
    if is_postgres(url):
        return parse_address(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in _SQLITE or not _is_of_a_file(parsed):
        raise SettingsError(
            "NOTIFIER_DATABASE_URL: expected postgresql://user:password@host/name "
            "or sqlite:///path/to/file"
        )
    return parsed


def _is_of_a_file(sqlite: URL) -> bool:
    path = sqlite.database
    is_one = bool(path) and path not in (":memory:", "/") and "\0" not in str(path)
    return is_one and not sqlite.host and not sqlite.query


def unprotected_host(url: str) -> str | None:
    """The host of a database that the URL does not say how to reach protected, if that matters."""
    parsed = parse_url(url)
    return parsed.unprotected_host if isinstance(parsed, PostgresAddress) else None
