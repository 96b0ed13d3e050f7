"""Keep what a mail server would get of what the sandbox captures."""

import sqlalchemy as sa
from alembic import op

revision = "0019_keep_captured_mails"
down_revision = "0018_note_what_templates_use"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("captures", sa.Column("source", sa.Text(), nullable=True))
    op.add_column("captures", sa.Column("size", sa.Integer(), nullable=True))
    op.add_column("captures", sa.Column("files", sa.Text(), nullable=True))
