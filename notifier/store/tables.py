"""The tables, for PostgreSQL and SQLite alike."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)

from notifier.notification.model import Status
from notifier.store.kit.sql import AsciiLower, ComparedBy, JsonObject, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_Serial = BigInteger().with_variant(Integer(), "sqlite")


def _partial_index(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


_STATUSES = ", ".join(f"'{status}'" for status in Status)

notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("lane", Text, nullable=False),
    # As it is compared; in rows older than the column after it, as it was written.
    Column("recipient", Text, nullable=False),
    # Where that differs.
    Column("recipient_as_written", Text),
    Column("subject", Text),
    # NULL: erased.
    Column("content", Text),
    Column("html", Text),
    # JSON as text, and not searchable: a database's own JSON would rewrite its numbers.
    Column("variables", Text),
    Column("metadata", JsonObject),
    Column("sensitive", Boolean, nullable=False),
    Column("traceparent", Text),
    Column("status", Text, nullable=False),
    # The fence: grows with every claim, never falls.
    Column("attempt", Integer, nullable=False),
    # What counts against the limit.
    Column("attempts_spent", Integer, nullable=False),
    Column("lease_token", Uuid),
    Column("lease_until", UtcTime),
    Column("leased_by", Text),
    Column("due_at", UtcTime, nullable=False),
    # When a relay looks at it next, as pending or as failed without a dead letter.
    Column("relay_at", UtcTime, nullable=False),
    Column("published_at", UtcTime),
    Column("expires_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("provider", Text),
    Column("provider_id", Text),
    Column("fault_kind", Text),
    Column("fault_code", Text),
    Column("fault_message", Text),
    Column("outcome_unknown", Boolean, nullable=False),
    # NULL: as its channel's policy has it.
    Column("on_unknown", Text),
    # A dead letter of this failed notification and attempt lies in the dead queue.
    Column("dead_letter", Boolean, nullable=False),
    # Since when a dead letter lies there that stands for nothing any more, or may be a second one.
    Column("stale_letter_at", UtcTime),
    CheckConstraint(f"status IN ({_STATUSES})", name="status"),
    Index("ix_notifications_service_id", "service", "id"),
    # PostgreSQL writes each change of status into every index that has the record: those only for
    # looking things up leave out what is under way, or what has nothing to find.
    Index(
        "ix_notifications_service_status_id",
        "service",
        "status",
        "id",
        postgresql_where=text("status NOT IN ('pending', 'processing')"),
    ),
    Index("ix_notifications_service_recipient_id", "service", "recipient", "id"),
    Index(
        "ix_notifications_metadata",
        "metadata",
        postgresql_using="gin",
        postgresql_ops={"metadata": "jsonb_path_ops"},
        postgresql_where=text("metadata IS NOT NULL"),
        info={"only": "postgresql"},
    ).ddl_if(dialect="postgresql"),
    Index(
        "ix_notifications_turns",
        "channel",
        "lane",
        "service",
        "relay_at",
        postgresql_where=text("status = 'pending' AND published_at IS NULL"),
        sqlite_where=text("status = 'pending' AND published_at IS NULL"),
        postgresql_concurrently=True,
        info={"later": True},
    ),
    _partial_index(
        "ix_notifications_lost",
        "channel",
        "lane",
        "relay_at",
        where="status = 'pending' AND published_at IS NOT NULL",
    ),
    _partial_index("ix_notifications_leased", "lease_until", where="status = 'processing'"),
    _partial_index(
        "ix_notifications_expiring",
        "expires_at",
        where="status = 'pending' AND expires_at IS NOT NULL",
    ),
    _partial_index("ix_notifications_failed", "id", where="status = 'failed'"),
    _partial_index(
        "ix_notifications_unburied", "relay_at", where="status = 'failed' AND NOT dead_letter"
    ),
    _partial_index("ix_notifications_outcome_unknown", "service", where="outcome_unknown"),
    _partial_index("ix_notifications_stale_letter", "channel", where="stale_letter_at IS NOT NULL"),
)

notification_events = Table(
    "notification_events",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("notification_id", Uuid, nullable=False),
    Column("service", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("event", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("provider", Text),
    Column("provider_id", Text),
    Column("fault_kind", Text),
    Column("fault_code", Text),
    Column("fault_message", Text),
    Column("delay_s", Float),
    Index("ix_notification_events_notification_id_id", "notification_id", "id"),
    _partial_index("ix_notification_events_accept", "service", where="event = 'accept'"),
    _partial_index(
        "ix_notification_events_late_completion", "service", where="event = 'late_completion'"
    ),
)

unknown_messages = Table(
    "unknown_messages",
    metadata,
    # What a message names, and no notification has.
    Column("id", Uuid, primary_key=True),
    Column("found_at", UtcTime, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("service", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    # Names, separated by spaces.
    Column("scopes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
)

inboxes = Table(
    "inboxes",
    metadata,
    Column("service", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("unread", BigInteger, nullable=False),
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
    Column("metadata", JsonObject),
    Column("created_at", UtcTime, nullable=False),
    Column("read_at", UtcTime),
    _partial_index("ix_inbox_items_unread", "service", "recipient", "seq", where="read_at IS NULL"),
)

captures = Table(
    "captures",
    metadata,
    Column("seq", _Serial, primary_key=True),
    Column("notification_id", Uuid, nullable=False),
    Column("service", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("subject", Text),
    Column("text", Text),
    Column("html", Text),
    Column("sensitive", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("captured_at", UtcTime, nullable=False),
    Index("ix_captures_channel_seq", "channel", "seq"),
)

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

receipts = Table(
    "receipts",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_receipts_created_at", "created_at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("service", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("notification_id", Uuid),
    Column("created_at", UtcTime, nullable=False),
    # As in notifications.
    Column("recipient_as_written", Text),
    Index("ix_suppressions_recipient_service_channel", "recipient", "service", "channel"),
)
# Older rows, and those of older code beside this one, have the recipient as it was written.
Index(
    "ix_suppressions_compared_by",
    ComparedBy(suppressions.c.channel, suppressions.c.recipient),
)
# Code before revision 0007 looks here, through user ids that differ in nothing but case.
Index(
    "ix_suppressions_compared",
    AsciiLower(suppressions.c.recipient),
)
