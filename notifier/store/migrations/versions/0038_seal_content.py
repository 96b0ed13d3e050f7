"""Seal the content of sensitive notifications."""

import sqlalchemy as sa
from alembic import op

revision = "0038_seal_content"
down_revision = "0037_keep_former_categories"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("sealed", sa.Text(), nullable=True))
