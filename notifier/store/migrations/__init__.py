"""The schema's revisions, and what to say to a database that lacks one.

A revision only adds, so that code of the previous one runs on: a database that is newer than
this code is no problem, an older one is.
"""

from sqlalchemy import MetaData, Table, Text, column, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

REVISIONS = (
    "0001_create_tables",
    "0002_add_provider_tables",
)
"""All revisions, oldest first; the last is what this code needs."""

_TABLE = "alembic_version"
_version = select(column("version_num", Text)).select_from(Table(_TABLE, MetaData()))


async def problem_of(connection: AsyncConnection) -> str | None:
    """Return in one line what is wrong with the schema and what to run, or None."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(_TABLE)):
        return "the database has no tables yet: run `notifier db upgrade`"
    revision = await connection.scalar(_version)
    if revision is None or revision in REVISIONS[:-1]:
        return f"the database's schema is older than {REVISIONS[-1]}: run `notifier db upgrade`"
    return None
