"""Note who changed what."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0039_note_who_changed_what"
down_revision = "0038_seal_content"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_audit_entries_of_actor": ["actor", "id"],
    "ix_audit_entries_of_action": ["action", "id"],
    "ix_audit_entries_of_service": ["service", "id"],
    "ix_audit_entries_at": ["at"],
}


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "audit_entries", columns, unique=False)
