"""Let go what is old: rules of retention, how far it has come, and what went."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0023_let_go_what_is_old"
down_revision = "0022_add_broadcasts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("content_purged_at", UtcTime(), nullable=True))
    op.create_index("ix_captures_notification_id", "captures", ["notification_id"], unique=False)
    op.create_table(
        "retention_rules",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("content_days", sa.Integer(), nullable=True),
        sa.Column("rows_days", sa.Integer(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "channel", name=op.f("pk_retention_rules")),
    )
    op.create_table(
        "purge_places",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("place", sa.Uuid(), nullable=False),
        sa.Column("began_at", UtcTime(), nullable=False),
        sa.Column("farthest", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("service", "what", name=op.f("pk_purge_places")),
    )
    op.create_table(
        "purged",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "channel", "name", name=op.f("pk_purged")),
    )
    op.create_table(
        "purged_letters",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_purged_letters")),
    )
