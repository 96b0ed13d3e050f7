"""Keep the ids that messages name and that the database does not know."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0005_note_unknown_messages"
down_revision = "0004_let_services_take_turns"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "unknown_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("found_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unknown_messages")),
    )
