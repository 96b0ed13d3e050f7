"""Keep broadcasts, and what came of them.

PostgreSQL builds the index of notifications beside those who write: see `notifier.store.indexing`.
"""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import JsonObject, UtcTime

revision = "0022_add_broadcasts"
down_revision = "0021_add_topics"
branch_labels = None
depends_on = None

_IS_UP = "state IN ('scheduled', 'expanding')"
_IS_SWEPT = "state = 'cancelled' AND finished_at IS NULL"
_IS_LEFT = "broadcast_id IS NOT NULL AND status IN ('pending', 'processing')"


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("template_version_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("attributes", JsonObject(), nullable=False),
        sa.Column("excluded", sa.Text(), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.Column("rate_per_s", sa.Integer(), nullable=True),
        sa.Column("send_at", UtcTime(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("look_at", UtcTime(), nullable=False),
        sa.Column("paced_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=True),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    for name, where in (("ix_broadcasts_up", _IS_UP), ("ix_broadcasts_cancelled", _IS_SWEPT)):
        op.create_index(
            name,
            "broadcasts",
            ["look_at"],
            unique=False,
            postgresql_where=sa.text(where),
            sqlite_where=sa.text(where),
        )
    op.add_column("notifications", sa.Column("broadcast_id", sa.Uuid(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_notifications_of_broadcast",
            "notifications",
            ["broadcast_id"],
            unique=False,
            sqlite_where=sa.text(_IS_LEFT),
        )
