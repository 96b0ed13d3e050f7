"""The tables of replays."""

from sqlalchemy import Column, ColumnElement, Integer, Table, Text, Uuid

from notifier.replays.replay import State
from notifier.store.kit.naming import is_named
from notifier.store.kit.sql import UtcTime, literal_text
from notifier.store.kit.tables import metadata, partial_index

replays = Table(
    "replays",
    metadata,
    Column("id", Uuid, primary_key=True),
    # NULL: of every service.
    Column("service", Text),
    # JSON as text.
    Column("selection", Text, nullable=False),
    Column("rate_per_s", Integer, nullable=False),
    Column("begun_by", Text, nullable=False),
    Column("expected", Integer),
    Column("state", Text, nullable=False),
    # The last notification that was looked at.
    Column("place", Uuid, nullable=False),
    Column("counts", Text, nullable=False),
    # When somebody looks at it next.
    Column("look_at", UtcTime, nullable=False),
    # Until when its rate is spent.
    Column("paced_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    partial_index("ix_replays_up", "look_at", where="state IN ('running', 'undoing')"),
)

replayed_letters = Table(
    "replayed_letters",
    metadata,
    # What a notification was before a replay, so that this can be taken back.
    Column("replay_id", Uuid, primary_key=True),
    Column("notification_id", Uuid, primary_key=True),
    Column("attempts_spent", Integer, nullable=False),
    Column("failed_at", UtcTime),
    Column("fault_kind", Text),
    Column("fault_code", Text),
    Column("fault_message", Text),
    Column("discarded_at", UtcTime),
)


def is_in(*states: State) -> ColumnElement[bool]:
    """Whether a replay is in one of these states, spelled out for the partial index."""
    return replays.c.state.in_([literal_text(each) for each in states])


IS_NAMED = is_named(replays)
