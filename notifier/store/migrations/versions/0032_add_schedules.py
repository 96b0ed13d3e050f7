"""Keep schedules, what became of their slots, and whose clocks a broadcast goes by."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0032_add_schedules"
down_revision = "0031_count_calls_of_hooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    _add_schedules()
    _add_runs()
    op.create_table(
        "schedule_counts",
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("late_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("outcome", name=op.f("pk_schedule_counts")),
    )
    op.add_column("broadcasts", sa.Column("zone", sa.Text(), nullable=True))


def _add_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timing", sa.Text(), nullable=False),
        sa.Column("is_by_recipient", sa.Boolean(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.Column("catch_up", sa.Text(), nullable=False),
        sa.Column("catch_up_within_s", sa.Integer(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=True),
        sa.Column("clocks", sa.Text(), nullable=True),
        sa.Column("look_at", UtcTime(), nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("paused_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index("uq_schedules_name", "schedules", ["service", "name"], unique=True)
    op.create_index("ix_schedules_service", "schedules", ["service", "id"])
    for name, columns, where in (
        ("ix_schedules_due", ["service", "channel", "lane", "look_at"], "look_at IS NOT NULL"),
        ("ix_schedules_user_id", ["service", "user_id"], "user_id IS NOT NULL"),
        ("ix_schedules_recipient", ["service", "recipient"], "recipient IS NOT NULL"),
        ("ix_schedules_by_recipient", ["id"], "is_by_recipient AND look_at IS NOT NULL"),
    ):
        op.create_index(
            name,
            "schedules",
            columns,
            postgresql_where=sa.text(where),
            sqlite_where=sa.text(where),
        )


def _add_runs() -> None:
    op.create_table(
        "schedule_runs",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("slot", UtcTime(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=True),
        sa.Column("broadcast_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "slot", "zone", name=op.f("pk_schedule_runs")),
    )
    op.create_index("ix_schedule_runs_at", "schedule_runs", ["at"])
