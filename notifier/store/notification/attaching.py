"""What refers to attachments: notifications, and the drafts and versions of templates."""

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Table,
    Text,
    Uuid,
    delete,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, SecondsFromNow, UtcTime, given_rows
from notifier.store.kit.tables import metadata, partial_index

attachments = Table(
    "attachments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    # NULL: not all of it is there.
    Column("size", BigInteger),
    Column("sha256", Text),
    Column("state", Text, nullable=False),
    # Not erased before, even if nothing refers to it; NULL: something was found to.
    Column("kept_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    partial_index("ix_attachments_kept_until", "kept_until", where="kept_until IS NOT NULL"),
    partial_index("ix_attachments_unused", "service", where="kept_until IS NOT NULL"),
)

attachment_uses = Table(
    "attachment_uses",
    metadata,
    # The id of a notification or of a version, or what stands for a draft.
    Column("used_by", Uuid, primary_key=True),
    Column("attachment_id", Uuid, primary_key=True),
    # By a notification whose content is erased once it is over.
    Column("is_sensitive", Boolean, nullable=False),
    Index("ix_attachment_uses_attachment_id", "attachment_id"),
    partial_index("ix_attachment_uses_sensitive", "used_by", where="is_sensitive"),
)

GRACE_S = 120.0
"""Whoever looked a file up has so long to refer to it, though nothing else does any more."""

_a, _u = attachments.c, attachment_uses.c
_given = given_rows(used_by=ID, attachment_id=ID, is_sensitive=Boolean)
# SQLite needs the WHERE to tell ON CONFLICT from a join's ON.
_NOTE = (
    insert(attachment_uses)
    .from_select(list(_given.c.keys()), select(*_given.c).where(literal_column("true", Boolean)))
    .on_conflict_do_nothing()
)


class Use(NamedTuple):
    """That one thing refers to one attachment."""

    used_by: UUID
    attachment_id: UUID
    is_sensitive: bool = False


async def note_uses(connection: AsyncConnection, uses: Iterable[Use]) -> None:
    """Note what refers to what; nothing where it is known."""
    rows = [
        encode(
            {
                "used_by": each.used_by.hex,
                "attachment_id": each.attachment_id.hex,
                "is_sensitive": each.is_sensitive,
            }
        )
        for each in uses
    ]
    if rows:
        await connection.execute(_NOTE, {"rows": joined(rows)})


async def let_go(connection: AsyncConnection, used_by: Collection[UUID]) -> None:
    """Let these refer to nothing; what nothing else refers to is erased soon."""
    gone = delete(attachment_uses).where(_u.used_by.in_(used_by)).returning(_u.attachment_id)
    freed = (await connection.scalars(gone)).all() if used_by else ()
    if freed:
        soon = SecondsFromNow(literal(GRACE_S))
        await connection.execute(
            update(attachments).where(_a.id.in_(set(freed))).values(kept_until=soon)
        )


async def use_instead(
    connection: AsyncConnection, used_by: UUID, attachment_ids: Collection[UUID]
) -> None:
    """Let something refer to these, and to nothing else."""
    await let_go(connection, [used_by])
    await note_uses(connection, (Use(used_by, each) for each in attachment_ids))
