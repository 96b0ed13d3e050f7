"""Bringing a database's schema up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random

from notifier.errors import SchemaError, StoreBusyError, StoreUnavailableError
from notifier.store import migrations
from notifier.store.indexing import build_later_indexes
from notifier.store.kit import reasons
from notifier.store.kit.address import PostgresAddress
from notifier.store.kit.database import translated
from notifier.store.kit.opening import parse_url
from notifier.store.kit.postgres import create_postgres_engine
from notifier.store.kit.sqlite import create_sqlite_engine
from notifier.store.migrations import FOREIGN, Standing, standing

# Any number will do, if nobody else uses it: the bytes of "notifier".
_LOCK = 0x6E6F746966696572
_BUSY_TIMEOUT_MS = 60_000

# Whoever waits for a table's lock holds up all that come after: better to step back and try again,
# long before those give up, which is after a second.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '300ms'"
_PATIENCE_S = 60


async def upgrade(url: str) -> str | None:
    """Apply the revisions that the database lacks, all or none of them, then build new indexes.

    Returns the revision of a database that is newer than this code, which is left as it is, and
    None for any other. Safe to run while services use the database, and when another upgrade
    runs: it waits for that.

    Raises:
        SettingsError: the URL names no database that notifier can use.
        SchemaError: the database holds something else's tables.
        StoreUnavailableError: the database does not answer, or takes no writes.
        StoreBusyError: others held what it needed for a minute; nothing was changed.
    """
    engine = _engine(url)
    try:
        newer: str | None = await _while_busy()(_upgrade, engine)
        if newer is None:
            await _while_busy()(_build_later_indexes, engine)
        return newer
    finally:
        await engine.dispose()


def _engine(url: str) -> AsyncEngine:
    parsed = parse_url(url)
    if isinstance(parsed, PostgresAddress):
        return create_postgres_engine(parsed, connect_timeout_s=parsed.connect_timeout_s or 10)
    return create_sqlite_engine(parsed, begin="BEGIN IMMEDIATE", busy_timeout_ms=_BUSY_TIMEOUT_MS)


def _while_busy() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(StoreBusyError),
        wait=wait_random(0.2, 1),
        stop=stop_after_delay(_PATIENCE_S),
        reraise=True,
    )


async def _upgrade(engine: AsyncEngine) -> str | None:
    return await translated(_apply(engine))


async def _build_later_indexes(engine: AsyncEngine) -> None:
    await translated(build_later_indexes(engine))


async def _apply(engine: AsyncEngine) -> str | None:
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.execute(text(_LOCK_TIMEOUT))
            # Where there is nothing to do, nothing else would tell.
            if await connection.scalar(text("SHOW transaction_read_only")) == "on":
                raise StoreUnavailableError(reasons.of_sqlstate(reasons.READ_ONLY))
        return await connection.run_sync(_run)


def _run(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    match standing(revision):
        case Standing.NEWER:
            return revision
        case Standing.FOREIGN:
            raise SchemaError(FOREIGN)
        case Standing.EMPTY | Standing.OLDER | Standing.CURRENT:
            config = Config()
            config.set_main_option("script_location", str(Path(migrations.__file__).parent))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return None
