"""Keep as whom services may send mails."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0014_add_senders"
down_revision = "0013_add_brands"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "senders",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("reply_to_name", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "name", name=op.f("pk_senders")),
    )
