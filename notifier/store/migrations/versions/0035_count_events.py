"""Count what became of events and digests."""

import sqlalchemy as sa
from alembic import op

revision = "0035_count_events"
down_revision = "0034_take_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "event_counts",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", "outcome", name=op.f("pk_event_counts")),
    )
