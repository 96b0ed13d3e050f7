"""Create the tables."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import JsonObject, UtcTime

revision = "0001_create_tables"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table and index."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "captures",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("captured_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_captures")),
    )
    op.create_index("ix_captures_channel_seq", "captures", ["channel", "seq"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        "ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False
    )
    op.create_table(
        "inbox_items",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("metadata", JsonObject(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("read_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("service", "recipient", "seq", name=op.f("pk_inbox_items")),
        sa.UniqueConstraint("notification_id", name=op.f("uq_inbox_items_notification_id")),
    )
    op.create_index(
        "ix_inbox_items_unread",
        "inbox_items",
        ["service", "recipient", "seq"],
        unique=False,
        postgresql_where=sa.text("read_at IS NULL"),
        sqlite_where=sa.text("read_at IS NULL"),
    )
    op.create_table(
        "inboxes",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "recipient", name=op.f("pk_inboxes")),
    )
    op.create_table(
        "notification_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("fault_kind", sa.Text(), nullable=True),
        sa.Column("fault_code", sa.Text(), nullable=True),
        sa.Column("fault_message", sa.Text(), nullable=True),
        sa.Column("delay_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_events")),
    )
    op.create_index(
        "ix_notification_events_accept",
        "notification_events",
        ["service"],
        unique=False,
        postgresql_where=sa.text("event = 'accept'"),
        sqlite_where=sa.text("event = 'accept'"),
    )
    op.create_index(
        "ix_notification_events_late_completion",
        "notification_events",
        ["service"],
        unique=False,
        postgresql_where=sa.text("event = 'late_completion'"),
        sqlite_where=sa.text("event = 'late_completion'"),
    )
    op.create_index(
        "ix_notification_events_notification_id_id",
        "notification_events",
        ["notification_id", "id"],
        unique=False,
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("variables", sa.Text(), nullable=True),
        sa.Column("metadata", JsonObject(), nullable=True),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("attempts_spent", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("leased_by", sa.Text(), nullable=True),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("relay_at", UtcTime(), nullable=False),
        sa.Column("published_at", UtcTime(), nullable=True),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("fault_kind", sa.Text(), nullable=True),
        sa.Column("fault_code", sa.Text(), nullable=True),
        sa.Column("fault_message", sa.Text(), nullable=True),
        sa.Column("outcome_unknown", sa.Boolean(), nullable=False),
        sa.Column("dead_letter", sa.Boolean(), nullable=False),
        sa.Column("stale_letter_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'processing', 'sent', 'delivered', 'bounced', 'failed', "
            "'expired', 'cancelled', 'suppressed')",
            name=op.f("ck_notifications_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(
        "ix_notifications_due",
        "notifications",
        ["relay_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND published_at IS NULL"),
        sqlite_where=sa.text("status = 'pending' AND published_at IS NULL"),
    )
    op.create_index(
        "ix_notifications_expiring",
        "notifications",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND expires_at IS NOT NULL"),
        sqlite_where=sa.text("status = 'pending' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_failed",
        "notifications",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.create_index(
        "ix_notifications_leased",
        "notifications",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'processing'"),
        sqlite_where=sa.text("status = 'processing'"),
    )
    op.create_index(
        "ix_notifications_lost",
        "notifications",
        ["channel", "lane", "relay_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND published_at IS NOT NULL"),
        sqlite_where=sa.text("status = 'pending' AND published_at IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_notifications_metadata",
            "notifications",
            ["metadata"],
            postgresql_using="gin",
            postgresql_ops={"metadata": "jsonb_path_ops"},
            postgresql_where=sa.text("metadata IS NOT NULL"),
        )
    op.create_index("ix_notifications_service_id", "notifications", ["service", "id"], unique=False)
    op.create_index(
        "ix_notifications_service_recipient_id",
        "notifications",
        ["service", "recipient", "id"],
        unique=False,
    )
    op.create_index(
        "ix_notifications_service_status_id",
        "notifications",
        ["service", "status", "id"],
        unique=False,
        postgresql_where=sa.text("status NOT IN ('pending', 'processing')"),
    )
    op.create_index(
        "ix_notifications_outcome_unknown",
        "notifications",
        ["service"],
        unique=False,
        postgresql_where=sa.text("outcome_unknown"),
        sqlite_where=sa.text("outcome_unknown"),
    )
    op.create_index(
        "ix_notifications_stale_letter",
        "notifications",
        ["channel"],
        unique=False,
        postgresql_where=sa.text("stale_letter_at IS NOT NULL"),
        sqlite_where=sa.text("stale_letter_at IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_unburied",
        "notifications",
        ["relay_at"],
        unique=False,
        postgresql_where=sa.text("status = 'failed' AND NOT dead_letter"),
        sqlite_where=sa.text("status = 'failed' AND NOT dead_letter"),
    )
