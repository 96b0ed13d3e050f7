"""Keep tallies of what happened."""

import sqlalchemy as sa
from alembic import op

revision = "0040_keep_statistics"
down_revision = "0039_note_who_changed_what"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "statistics",
        sa.Column("step_s", sa.Integer(), nullable=False),
        sa.Column("start_s", sa.BigInteger(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint(
            "step_s",
            "start_s",
            "service",
            "channel",
            "lane",
            "event",
            "bucket",
            name=op.f("pk_statistics"),
        ),
    )
