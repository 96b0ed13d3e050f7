"""The tables of inboxes, and the parts that an inbox has."""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Table,
    Text,
    Uuid,
    and_,
    text,
)

from notifier.audience.inbox import Part
from notifier.store.kit.sql import JsonObject, UtcTime
from notifier.store.kit.tables import metadata, partial_index

inboxes = Table(
    "inboxes",
    metadata,
    Column("service", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("unread", BigInteger, nullable=False),
    # What an older version does not write: nullable for it, and never null.
    Column("unseen", BigInteger, server_default="0"),
    Column("version", BigInteger, server_default="0"),
)


def _index_of_part(name: str, *columns: str, where: str) -> Index:
    return Index(
        name,
        *columns,
        postgresql_where=text(where),
        sqlite_where=text(where),
        postgresql_concurrently=True,
        info={"later": True},
    )


inbox_items = Table(
    "inbox_items",
    metadata,
    Column("service", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("notification_id", Uuid, nullable=False, unique=True),
    Column("subject", Text),
    Column("text", Text, nullable=False),
    Column("html", Text),
    Column("action_url", Text),
    Column("metadata", JsonObject),
    Column("created_at", UtcTime, nullable=False),
    Column("read_at", UtcTime),
    Column("seen_at", UtcTime),
    Column("archived_at", UtcTime),
    Column("snoozed_until", UtcTime),
    partial_index("ix_inbox_items_unread", "service", "recipient", "seq", where="read_at IS NULL"),
    _index_of_part(
        "ix_inbox_items_inbox",
        "service",
        "recipient",
        "seq",
        where="archived_at IS NULL AND snoozed_until IS NULL",
    ),
    _index_of_part(
        "ix_inbox_items_archived", "service", "recipient", "seq", where="archived_at IS NOT NULL"
    ),
    _index_of_part(
        "ix_inbox_items_snoozed", "service", "recipient", "seq", where="snoozed_until IS NOT NULL"
    ),
    _index_of_part("ix_inbox_items_waking", "snoozed_until", where="snoozed_until IS NOT NULL"),
)


items = inbox_items.c
IS_IN: Mapping[Part, ColumnElement[bool]] = {
    Part.INBOX: and_(items.archived_at.is_(None), items.snoozed_until.is_(None)),
    Part.ARCHIVED: items.archived_at.is_not(None),
    Part.SNOOZED: items.snoozed_until.is_not(None),
}
