"""Note of which notification another one was made, to another address.

PostgreSQL builds the index beside those who write: see `notifier.store.indexing`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041_note_what_was_forwarded"
down_revision = "0040_keep_statistics"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("forwarded_from", sa.Uuid(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_notifications_forwarded",
            "notifications",
            ["forwarded_from"],
            unique=False,
            sqlite_where=sa.text("forwarded_from IS NOT NULL"),
        )
