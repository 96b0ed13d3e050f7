"""Note which rule a notification comes from, and what keeps it back.

PostgreSQL builds the index of notifications beside those who write: see `notifier.store.indexing`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030_note_where_they_come_from"
down_revision = "0029_count_against_caps"
branch_labels = None
depends_on = None

_IS_PENDING = "key IS NOT NULL AND status = 'pending'"


def upgrade() -> None:
    """Only add."""
    for name in ("rule", "key", "skip_if", "skip_on"):
        op.add_column("notifications", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("notifications", sa.Column("depends_on", sa.Uuid(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_notifications_of_key",
            "notifications",
            ["service", "key"],
            unique=False,
            sqlite_where=sa.text(_IS_PENDING),
        )
