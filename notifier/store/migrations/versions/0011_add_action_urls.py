"""Keep where in-app notifications lead."""

import sqlalchemy as sa
from alembic import op

revision = "0011_add_action_urls"
down_revision = "0010_add_mail_details"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add; the busiest table comes last, so that it is locked for the shortest time."""
    op.add_column("captures", sa.Column("action_url", sa.Text(), nullable=True))
    op.add_column("inbox_items", sa.Column("action_url", sa.Text(), nullable=True))
    op.add_column("notifications", sa.Column("action_url", sa.Text(), nullable=True))
