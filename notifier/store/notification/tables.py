"""The tables of notifications, and those that their statements join."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    column,
    literal,
    table,
    text,
)

from notifier.notification.model import Status
from notifier.store.kit.sql import AsciiLower, ComparedBy, JsonObject, SecondsFromNow, UtcTime
from notifier.store.kit.tables import Serial, metadata, partial_index

_STATUSES = ", ".join(f"'{status}'" for status in Status)

IS_PENDING_BY_KEY = "key IS NOT NULL AND status = 'pending'"
IS_LEFT_OF_BROADCAST = "broadcast_id IS NOT NULL AND status IN ('pending', 'processing')"


def _index_of_services(name: str, *columns: str) -> Index:
    """Return an index for statements that name a service, and no others.

    The condition is true of every row. Which statement does not imply it cannot be planned to go
    through all of the index for an id, which PostgreSQL does as soon as it knows the table empty.
    """
    return Index(
        name,
        *columns,
        postgresql_where=text("service IS NOT NULL"),
        postgresql_concurrently=True,
        info={"later": True},
    )


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
    # NULL: erased, or in the version of a template.
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
    Column("template_version_id", Uuid),
    Column("locale", Text),
    # What a mail has besides its content, as JSON; NULL: nothing.
    Column("mail", Text),
    Column("action_url", Text),
    # NULL: content, subject and html are filled when it is sent.
    Column("is_finished", Boolean),
    # Of an SMS, as it was accepted.
    Column("segments", Integer),
    Column("encoding", Text),
    # A person in the directory of its service.
    Column("user_id", Text),
    # What people choose by.
    Column("category", Text),
    # NULL: it can be switched off.
    Column("is_required", Boolean),
    # NULL: the address is the person's, and looked up again when it is sent.
    Column("is_address_given", Boolean),
    Column("broadcast_id", Uuid),
    # The rule that made it, and by what it is taken back.
    Column("rule", Text),
    Column("key", Text),
    # It is not sent if that has become of the other notification.
    Column("depends_on", Uuid),
    Column("skip_if", Text),
    # The type of an event that takes it back.
    Column("skip_on", Text),
    # NULL: it was not counted against a cap of its recipient's.
    Column("is_counted", Boolean),
    # Since when a dead letter lies there that stands for nothing any more, or may be a second one.
    Column("stale_letter_at", UtcTime),
    # Since when retention or an erasure let the content go.
    Column("content_purged_at", UtcTime),
    # All of the content of a sensitive one under a key; NULL: it is in its own columns, or erased.
    Column("sealed", Text),
    # The one of which it was made, for another address.
    Column("forwarded_from", Uuid),
    # The replay that tried it again last.
    Column("replay_id", Uuid),
    # Since when its dead letter is gone for good.
    Column("discarded_at", UtcTime),
    CheckConstraint(f"status IN ({_STATUSES})", name="status"),
    _index_of_services("ix_notifications_of_service", "service", "id"),
    # PostgreSQL writes each change of status into every index that has the record: those only for
    # looking things up leave out what is under way, or what has nothing to find.
    Index(
        "ix_notifications_service_status_id",
        "service",
        "status",
        "id",
        postgresql_where=text("status NOT IN ('pending', 'processing')"),
    ),
    _index_of_services("ix_notifications_of_recipient", "service", "recipient", "id"),
    Index(
        "ix_notifications_of_user",
        "service",
        "user_id",
        "id",
        postgresql_where=text("user_id IS NOT NULL"),
        sqlite_where=text("user_id IS NOT NULL"),
        postgresql_concurrently=True,
        info={"later": True},
    ),
    Index(
        "ix_notifications_of_broadcast",
        "broadcast_id",
        postgresql_where=text(IS_LEFT_OF_BROADCAST),
        sqlite_where=text(IS_LEFT_OF_BROADCAST),
        postgresql_concurrently=True,
        info={"later": True},
    ),
    Index(
        "ix_notifications_forwarded",
        "forwarded_from",
        postgresql_where=text("forwarded_from IS NOT NULL"),
        sqlite_where=text("forwarded_from IS NOT NULL"),
        postgresql_concurrently=True,
        info={"later": True},
    ),
    Index(
        "ix_notifications_of_replay",
        "replay_id",
        "status",
        postgresql_where=text("replay_id IS NOT NULL"),
        sqlite_where=text("replay_id IS NOT NULL"),
        postgresql_concurrently=True,
        info={"later": True},
    ),
    Index(
        "ix_notifications_of_key",
        "service",
        "key",
        postgresql_where=text(IS_PENDING_BY_KEY),
        sqlite_where=text(IS_PENDING_BY_KEY),
        postgresql_concurrently=True,
        info={"later": True},
    ),
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
    partial_index(
        "ix_notifications_lost",
        "channel",
        "lane",
        "relay_at",
        where="status = 'pending' AND published_at IS NOT NULL",
    ),
    partial_index("ix_notifications_leased", "lease_until", where="status = 'processing'"),
    partial_index(
        "ix_notifications_expiring",
        "expires_at",
        where="status = 'pending' AND expires_at IS NOT NULL",
    ),
    partial_index("ix_notifications_failed", "id", where="status = 'failed'"),
    partial_index(
        "ix_notifications_unburied", "relay_at", where="status = 'failed' AND NOT dead_letter"
    ),
    partial_index("ix_notifications_outcome_unknown", "service", where="outcome_unknown"),
    partial_index("ix_notifications_stale_letter", "channel", where="stale_letter_at IS NOT NULL"),
)

notification_events = Table(
    "notification_events",
    metadata,
    Column("id", Serial, primary_key=True),
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
    # Which replay it was, or why somebody discarded it.
    Column("note", Text),
    Index("ix_notification_events_notification_id_id", "notification_id", "id"),
    partial_index("ix_notification_events_accept", "service", where="event = 'accept'"),
    partial_index(
        "ix_notification_events_late_completion", "service", where="event = 'late_completion'"
    ),
    # An id is never used twice, not even where the last rows were removed: readers of the feed
    # have it.
    sqlite_autoincrement=True,
)

feed_cursors = Table(
    "feed_cursors",
    metadata,
    Column("reader", Text, primary_key=True),
    # The id of an event.
    Column("position", BigInteger, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

unknown_messages = Table(
    "unknown_messages",
    metadata,
    # What a message names, and no notification has.
    Column("id", Uuid, primary_key=True),
    Column("found_at", UtcTime, nullable=False),
)

ROWS: Final = "rows"
"""Of `purge_places.what`: all of a notification."""

purge_places = Table(
    "purge_places",
    metadata,
    # How far a pass through a service's notifications has come, by what goes.
    Column("service", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("place", Uuid, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    # The newest that ever went.
    Column("farthest", Uuid, nullable=False),
)

purged = Table(
    "purged",
    metadata,
    Column("service", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    # The status that they had, or `accept` for the beginnings of their timelines; or `content.`
    # and why, where their content alone is gone.
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

purged_letters = Table(
    "purged_letters",
    metadata,
    # Whose dead queue may have letters of what is gone, and since when.
    Column("channel", Text, primary_key=True),
    Column("since", UtcTime, nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("service", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    # Empty: for everything.
    Column("category", Text, primary_key=True, server_default=""),
    Column("reason", Text, nullable=False),
    Column("notification_id", Uuid),
    Column("created_at", UtcTime, nullable=False),
    # As in notifications.
    Column("recipient_as_written", Text),
    Index("ix_suppressions_place", "recipient", "service", "channel", "category"),
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

NEVER = SecondsFromNow(literal(100 * 365.25 * 86_400))
"""When a relay looks at what it has to leave alone."""

# What searches look up in tables of subjects that know this one.
versions_by_name = table("template_versions", column("id", Uuid), column("name", Text))
beginnings = table(
    "broadcasts",
    column("id", Uuid),
    column("created_at", UtcTime),
    column("started_at", UtcTime),
)
