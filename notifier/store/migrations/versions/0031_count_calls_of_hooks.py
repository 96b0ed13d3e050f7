"""Count the calls of hooks."""

import sqlalchemy as sa
from alembic import op

revision = "0031_count_calls_of_hooks"
down_revision = "0030_note_where_they_come_from"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "hook_calls",
        sa.Column("hook", sa.Text(), nullable=False),
        sa.Column("moment", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hook", "moment", "result", name=op.f("pk_hook_calls")),
    )
