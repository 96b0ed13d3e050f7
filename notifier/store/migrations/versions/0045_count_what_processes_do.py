"""Add what each process has done with, and the memory that it held."""

import sqlalchemy as sa
from alembic import op

revision = "0045_count_what_processes_do"
down_revision = "0044_add_operators"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.add_column("processes", sa.Column("handled", sa.BigInteger(), nullable=True))
    op.add_column("processes", sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
