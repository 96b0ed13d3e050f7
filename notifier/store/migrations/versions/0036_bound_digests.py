"""Count how often a digest is tried, and find those that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0036_bound_digests"
down_revision = "0035_count_events"
branch_labels = None
depends_on = None

_IS_FAILED = 'settled_at IS NOT NULL AND notification_ids IS NULL AND "count" > 0'


def upgrade() -> None:
    """Only add."""
    op.add_column("digests", sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_digests_failed",
        "digests",
        ["id"],
        unique=False,
        postgresql_where=sa.text(_IS_FAILED),
        sqlite_where=sa.text(_IS_FAILED),
    )
