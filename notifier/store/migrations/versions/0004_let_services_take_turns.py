"""Index what is due by who sent it.

PostgreSQL builds that index once the revisions are committed, beside those who write: see
`notifier.store.indexing`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_let_services_take_turns"
down_revision = "0003_compare_recipients"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(
            "ix_notifications_turns",
            "notifications",
            ["channel", "lane", "service", "relay_at"],
            unique=False,
            sqlite_where=sa.text("status = 'pending' AND published_at IS NULL"),
        )
