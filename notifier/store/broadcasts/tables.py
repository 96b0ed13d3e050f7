"""The table of broadcasts, and finding one in it."""

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Table,
    Text,
    Uuid,
)

from notifier.broadcasts.broadcast import (
    State,
)
from notifier.store.kit.naming import is_named
from notifier.store.kit.sql import (
    JsonObject,
    UtcTime,
    literal_text,
)
from notifier.store.kit.tables import metadata, partial_index

broadcasts = Table(
    "broadcasts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("template_version_id", Uuid, nullable=False),
    # NULL: people of the directory.
    Column("topic", Text),
    Column("attributes", JsonObject, nullable=False),
    # NULL: members of any.
    Column("zone", Text),
    # JSON as text, as in notifications.
    Column("excluded", Text, nullable=False),
    Column("variables", Text, nullable=False),
    Column("rate_per_s", Integer),
    Column("send_at", UtcTime),
    Column("state", Text, nullable=False),
    # The user id of the last member that was looked at.
    Column("place", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("fault", Text),
    # When somebody looks at it next.
    Column("look_at", UtcTime, nullable=False),
    # Until when its rate is spent.
    Column("paced_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    # Of a cancelled one: when nothing of it was left to cancel.
    Column("finished_at", UtcTime),
    partial_index("ix_broadcasts_up", "look_at", where="state IN ('scheduled', 'expanding')"),
    partial_index(
        "ix_broadcasts_cancelled", "look_at", where="state = 'cancelled' AND finished_at IS NULL"
    ),
)


def is_in(*states: State) -> ColumnElement[bool]:
    """Whether a broadcast is in one of these states, spelled out for the partial indexes."""
    return broadcasts.c.state.in_([literal_text(each) for each in states])


IS_NAMED = is_named(broadcasts)
