"""Keep what a mail has besides its content."""

import sqlalchemy as sa
from alembic import op

revision = "0010_add_mail_details"
down_revision = "0009_add_templates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("notifications", sa.Column("mail", sa.Text(), nullable=True))
