"""Keep content that has no placeholders, whatever braces it has."""

import sqlalchemy as sa
from alembic import op

revision = "0015_keep_finished_content"
down_revision = "0014_add_senders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("is_finished", sa.Boolean(), nullable=True))
