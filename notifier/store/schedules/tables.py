"""The tables of schedules."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
)

from notifier.store.kit.naming import is_named
from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata, partial_index

schedules = Table(
    "schedules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("name", Text, nullable=False),
    # JSON as text.
    Column("timing", Text, nullable=False),
    Column("is_by_recipient", Boolean, nullable=False),
    # One of the three.
    Column("user_id", Text),
    Column("recipient", Text),
    Column("topic", Text),
    Column("channel", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("template", Text, nullable=False),
    # JSON as text, as in notifications.
    Column("variables", Text, nullable=False),
    Column("catch_up", Text, nullable=False),
    Column("catch_up_within_s", Integer, nullable=False),
    Column("etag", Text, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    # NULL: it does not come any more.
    Column("next_at", UtcTime),
    Column("clocks", Text),
    # When somebody looks at it next; NULL: nobody does.
    Column("look_at", UtcTime),
    # Whoever has this one has the say; each change is another.
    Column("turn", BigInteger, nullable=False),
    Column("paused_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("uq_schedules_name", "service", "name", unique=True),
    Index("ix_schedules_service", "service", "id"),
    partial_index(
        "ix_schedules_due", "service", "channel", "lane", "look_at", where="look_at IS NOT NULL"
    ),
    partial_index("ix_schedules_user_id", "service", "user_id", where="user_id IS NOT NULL"),
    partial_index("ix_schedules_recipient", "service", "recipient", where="recipient IS NOT NULL"),
    partial_index(
        "ix_schedules_by_recipient", "id", where="is_by_recipient AND look_at IS NOT NULL"
    ),
)

schedule_runs = Table(
    "schedule_runs",
    metadata,
    Column("schedule_id", Uuid, primary_key=True),
    Column("slot", UtcTime, primary_key=True),
    # Empty: all.
    Column("zone", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("notification_id", Uuid),
    Column("broadcast_id", Uuid),
    Column("reason", Text),
    Column("at", UtcTime, nullable=False),
    Index("ix_schedule_runs_at", "at"),
)

schedule_counts = Table(
    "schedule_counts",
    metadata,
    Column("outcome", Text, primary_key=True),
    Column("runs", BigInteger, nullable=False),
    # Of all together.
    Column("late_s", Float, nullable=False),
)

IS_NAMED = is_named(schedules)
