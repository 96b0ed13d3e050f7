"""The tables of events, of what came of them, and of digests."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, Uuid, text

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import metadata, partial_index

events = Table(
    "events",
    metadata,
    Column("service", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    # What it is known by here; in the order of arrival.
    Column("id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text),
    Column("time", UtcTime),
    # JSON as text; NULL once it was erased.
    Column("data", Text),
    Column("checksum", Text, nullable=False),
    Column("matched", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Index("ix_events_id", "id", unique=True),
    Index("ix_events_of_service", "service", "id"),
    Index("ix_events_received", "received_at"),
)

event_matches = Table(
    "event_matches",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("nth", Integer, primary_key=True),
    Column("service", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("version_id", Uuid, nullable=False),
    # Empty: it did not come to that.
    Column("person", Text, nullable=False),
    Column("is_user", Boolean, nullable=False),
    Column("key", Text),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    # JSON as text.
    Column("notification_ids", Text),
    Column("digest_id", Uuid),
    Column("broadcast_id", Uuid),
    # For one key a rule is carried out once.
    Index(
        "ix_event_matches_key",
        "service",
        "rule",
        "person",
        "key",
        unique=True,
        postgresql_where=text("key IS NOT NULL AND outcome = 'matched'"),
        sqlite_where=text("key IS NOT NULL AND outcome = 'matched'"),
    ),
    partial_index("ix_event_matches_person", "service", "person", where="person <> ''"),
)

throttles = Table(
    "throttles",
    metadata,
    Column("service", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("used", Integer, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Index("ix_throttles_ends", "ends_at"),
)

IS_FAILED = 'settled_at IS NOT NULL AND notification_ids IS NULL AND "count" > 0'
"""Nothing could be sent of a digest."""

digests = Table(
    "digests",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("rule", Text, nullable=False),
    # Of the first item's rule.
    Column("version_id", Uuid, nullable=False),
    Column("person", Text, nullable=False),
    Column("is_user", Boolean, nullable=False),
    Column("key", Text, nullable=False),
    Column("match_key", Text),
    # How many were added; what was taken back is among them.
    Column("added", Integer, nullable=False),
    Column("max_items", Integer),
    Column("opened_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    # From then on what comes opens another one.
    Column("closed_at", UtcTime),
    # When it is looked at next, once it is closed.
    Column("look_at", UtcTime),
    # When what comes of it was accepted.
    Column("settled_at", UtcTime),
    # How often it was given out since then.
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("count", Integer),
    Column("reason", Text),
    Column("notification_ids", Text),
    Index(
        "ix_digests_open",
        "service",
        "rule",
        "person",
        "key",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
        sqlite_where=text("closed_at IS NULL"),
    ),
    partial_index("ix_digests_due", "due_at", where="closed_at IS NULL"),
    partial_index(
        "ix_digests_closed", "look_at", where="closed_at IS NOT NULL AND settled_at IS NULL"
    ),
    partial_index("ix_digests_settled", "settled_at", where="settled_at IS NOT NULL"),
    partial_index("ix_digests_failed", "id", where=IS_FAILED),
    Index("ix_digests_person", "service", "person"),
)

digest_items = Table(
    "digest_items",
    metadata,
    Column("digest_id", Uuid, primary_key=True),
    # Of `events`: in the order of arrival.
    Column("event_id", Uuid, primary_key=True),
    Column("source", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("match_key", Text),
    Column("at", UtcTime, nullable=False),
    Column("data", Text, nullable=False),
    partial_index("ix_digest_items_key", "match_key", where="match_key IS NOT NULL"),
)

event_counts = Table(
    "event_counts",
    metadata,
    Column("what", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
)
