"""Keep where readers of the feed go on, and let SQLite use no event's id twice.

PostgreSQL's sequences never do. In SQLite, which gives the id of the last row anew once that is
removed, a table learns it only by being made anew.
"""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0008_follow_what_happens"
down_revision = "0007_look_up_as_compared"
branch_labels = None
depends_on = None

_EVENTS = "notification_events"


def upgrade() -> None:
    """Only add; PostgreSQL's busy tables are not touched."""
    op.create_table(
        "feed_cursors",
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_feed_cursors")),
    )
    if op.get_bind().dialect.name == "sqlite":
        _make_events_anew()


def _make_events_anew() -> None:
    op.rename_table(_EVENTS, "old_events")
    op.create_table(
        _EVENTS,
        sa.Column("id", sa.Integer(), nullable=False),
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
        sqlite_autoincrement=True,
    )
    op.execute(f"INSERT INTO {_EVENTS} SELECT * FROM old_events ORDER BY id")  # noqa: S608  names of ours
    # Its indexes go with it.
    op.drop_table("old_events")
    for event in ("accept", "late_completion"):
        op.create_index(
            f"ix_notification_events_{event}",
            _EVENTS,
            ["service"],
            unique=False,
            sqlite_where=sa.text(f"event = '{event}'"),
        )
    op.create_index(
        "ix_notification_events_notification_id_id",
        _EVENTS,
        ["notification_id", "id"],
        unique=False,
    )
