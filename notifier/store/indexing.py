"""Indexes that came later, or went: PostgreSQL does both beside those who read and write."""

import asyncio
from typing import Any, Final

from sqlalchemy import Column, Index, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateIndex, DropIndex, ExecutableDDLElement

from notifier.store.inbox.tables import inbox_items
from notifier.store.notification.tables import notifications

# Not that of the revisions, and not waited for: whoever builds an index waits for all whose
# statement began before.
_LOCK: Final = 0x6E6F746966696578
_TRY_LOCK = text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")
_LOOK_EVERY_S = 0.2
# A query's snapshot is kept until the next one; the building of an index waits for all of them.
_WITHOUT_SNAPSHOT = text("SHOW server_version")

_DROPPED: Final = (
    "ix_notifications_due",
    "ix_notifications_service_id",
    "ix_notifications_service_recipient_id",
)

_IS_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
_SCHEMA = text(
    "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('notifications')"
)


async def build_later_indexes(engine: AsyncEngine) -> None:
    """Build those that a PostgreSQL lacks, for a large table that takes its time, and drop others.

    It waits for transactions that began before. Where it was broken off, the next call begins
    anew.
    """
    if engine.dialect.name != "postgresql":
        return
    async with engine.connect() as holder, engine.connect() as builder:
        while not await holder.scalar(_TRY_LOCK):
            await holder.rollback()
            await asyncio.sleep(_LOOK_EVERY_S)
        schema = (await holder.execute(_SCHEMA)).scalar_one()
        for index in _later(schema):
            is_valid = await holder.scalar(_IS_VALID, {"name": index.name})
            await holder.execute(_WITHOUT_SNAPSHOT)
            if is_valid is False:
                await _run_alone(builder, DropIndex(index))
            if not is_valid:
                await _run_alone(builder, CreateIndex(index))
        # Only now: their work is that of the ones above.
        for index in _dropped(schema):
            if await holder.scalar(_IS_VALID, {"name": index.name}) is not None:
                await holder.execute(_WITHOUT_SNAPSHOT)
                await _run_alone(builder, DropIndex(index))


def _later(schema: str) -> list[Index]:
    found = (index for table in (notifications, inbox_items) for index in _later_of(table, schema))
    return list(found)


def _later_of(table: Table, schema: str) -> list[Index]:
    names = {index.name for index in table.indexes if index.info.get("later")}
    copy = table.to_metadata(MetaData(), schema=schema)
    return [index for index in copy.indexes if index.name in names]


def _dropped(schema: str) -> list[Index]:
    table = Table("notifications", MetaData(), Column("relay_at"), schema=schema)
    return [Index(name, table.c.relay_at, postgresql_concurrently=True) for name in _DROPPED]


async def _run_alone(connection: AsyncConnection, statement: ExecutableDDLElement) -> None:
    """Run a statement in no transaction, and so without a session's settings.

    A pooler gets a transaction for every other statement, with these in it.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.execute(str(statement.compile(dialect=connection.dialect)))
