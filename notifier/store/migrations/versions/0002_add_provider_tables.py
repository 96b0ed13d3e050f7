"""Add what providers are in, what they report, and whom not to send to."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0002_add_provider_tables"
down_revision = "0001_create_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add; the busy table comes last, so that it is locked for the shortest time."""
    op.create_table(
        "providers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=True),
        sa.Column("open_until", UtcTime(), nullable=True),
        sa.Column("probe_until", UtcTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("throttled_until", UtcTime(), nullable=True),
        sa.Column("next_turn_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_providers")),
    )
    op.create_table(
        "receipts",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id", name=op.f("pk_receipts")),
    )
    op.create_index("ix_receipts_created_at", "receipts", ["created_at"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "channel", "recipient", name=op.f("pk_suppressions")),
    )
    op.create_index(
        "ix_suppressions_recipient_service_channel",
        "suppressions",
        ["recipient", "service", "channel"],
        unique=False,
    )
    op.add_column("notifications", sa.Column("on_unknown", sa.Text(), nullable=True))
