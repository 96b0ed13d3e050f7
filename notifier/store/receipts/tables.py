"""The table of receipts."""

from sqlalchemy import Column, Index, Table, Text

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata

receipts = Table(
    "receipts",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_receipts_created_at", "created_at"),
)
