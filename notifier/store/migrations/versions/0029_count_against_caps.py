"""Note which notifications were counted against a cap of their recipients'."""

import sqlalchemy as sa
from alembic import op

revision = "0029_count_against_caps"
down_revision = "0028_erase_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("is_counted", sa.Boolean(), nullable=True))
