"""The table of provider accounts."""

from sqlalchemy import Boolean, Column, Float, Integer, Table, Text

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata

providers = Table(
    "providers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("is_paused", Boolean, nullable=False),
    Column("pause_reason", Text),
    # Since when its breaker is open; NULL: closed.
    Column("opened_at", UtcTime),
    Column("open_until", UtcTime),
    Column("probe_until", UtcTime),
    Column("reason", Text),
    Column("trips", Integer, nullable=False),
    Column("throttled_until", UtcTime),
    # Seconds since 1970: SQLite's times are too coarse for fast paces.
    Column("next_turn_s", Float),
)
