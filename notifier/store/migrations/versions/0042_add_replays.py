"""Add replays, discarded letters, and notes in timelines."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0042_add_replays"
down_revision = "0041_note_what_was_forwarded"
branch_labels = None
depends_on = None

_IS_UP = "state IN ('running', 'undoing')"


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "replays",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("rate_per_s", sa.Integer(), nullable=False),
        sa.Column("begun_by", sa.Text(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("place", sa.Uuid(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("look_at", UtcTime(), nullable=False),
        sa.Column("paced_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
    )
    op.create_index(
        "ix_replays_up",
        "replays",
        ["look_at"],
        unique=False,
        postgresql_where=sa.text(_IS_UP),
        sqlite_where=sa.text(_IS_UP),
    )
    op.create_table(
        "replayed_letters",
        sa.Column("replay_id", sa.Uuid(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("attempts_spent", sa.Integer(), nullable=False),
        sa.Column("failed_at", UtcTime(), nullable=True),
        sa.Column("fault_kind", sa.Text(), nullable=True),
        sa.Column("fault_code", sa.Text(), nullable=True),
        sa.Column("fault_message", sa.Text(), nullable=True),
        sa.Column("discarded_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("replay_id", "notification_id", name=op.f("pk_replayed_letters")),
    )
    op.add_column("notifications", sa.Column("replay_id", sa.Uuid(), nullable=True))
    op.add_column("notifications", sa.Column("discarded_at", UtcTime(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_notifications_of_replay",
            "notifications",
            ["replay_id", "status"],
            unique=False,
            sqlite_where=sa.text("replay_id IS NOT NULL"),
        )
    op.add_column("notification_events", sa.Column("note", sa.Text(), nullable=True))
