"""Keep whom a notification is for, besides its address.

PostgreSQL builds the index beside those who write: see `notifier.store.indexing`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020_address_people"
down_revision = "0019_keep_captured_mails"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("user_id", sa.Text(), nullable=True))
    op.add_column("notifications", sa.Column("category", sa.Text(), nullable=True))
    op.add_column("notifications", sa.Column("is_required", sa.Boolean(), nullable=True))
    op.add_column("notifications", sa.Column("is_address_given", sa.Boolean(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_notifications_of_user",
            "notifications",
            ["service", "user_id", "id"],
            unique=False,
            sqlite_where=sa.text("user_id IS NOT NULL"),
        )
