"""Keep how many messages an SMS is."""

import sqlalchemy as sa
from alembic import op

revision = "0017_add_sizes_of_sms"
down_revision = "0016_find_ids_by_their_key"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("segments", sa.Integer(), nullable=True))
    op.add_column("notifications", sa.Column("encoding", sa.Text(), nullable=True))
