"""The table of erasures."""

from sqlalchemy import Boolean, Column, Table, Text, Uuid

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata, partial_index

erasures = Table(
    "erasures",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("forget_suppression", Boolean, nullable=False),
    # Whom, as JSON; NULL: done, and forgotten.
    Column("subject", Text),
    Column("counts", Text, nullable=False),
    # Whether everything was gone through once, and nothing was found since.
    Column("is_settled", Boolean, nullable=False),
    # When somebody looks at it next.
    Column("look_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    # JSON, signed.
    Column("receipt", Text),
    partial_index("ix_erasures_up", "look_at", where="finished_at IS NULL"),
)
