"""What refers to attachments: notifications, and the drafts and versions of templates."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, Column, Index, Table, Uuid, delete, literal_column, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, given_rows
from notifier.store.kit.tables import metadata, partial_index

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

_u = attachment_uses.c
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


async def use_instead(
    connection: AsyncConnection, used_by: UUID, attachment_ids: Iterable[UUID]
) -> None:
    """Let something refer to these, and to nothing else."""
    await connection.execute(delete(attachment_uses).where(_u.used_by == used_by))
    await note_uses(connection, (Use(used_by, each) for each in attachment_ids))
