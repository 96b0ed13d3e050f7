"""Keep files that mails refer to."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0012_add_attachments"
down_revision = "0011_add_action_urls"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kept_until", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    _index("ix_attachments_kept_until", "attachments", "kept_until", "kept_until IS NOT NULL")
    _index("ix_attachments_unused", "attachments", "service", "kept_until IS NOT NULL")
    op.create_table(
        "attachment_chunks",
        sa.Column("attachment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("attachment_id", "number", name=op.f("pk_attachment_chunks")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Most are compressed as they come: trying it again takes as long as storing them.
        op.execute("ALTER TABLE attachment_chunks ALTER COLUMN content SET STORAGE EXTERNAL")
    op.create_table(
        "attachment_uses",
        sa.Column("used_by", sa.Uuid(), nullable=False),
        sa.Column("attachment_id", sa.Uuid(), nullable=False),
        sa.Column("is_sensitive", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("used_by", "attachment_id", name=op.f("pk_attachment_uses")),
    )
    op.create_index("ix_attachment_uses_attachment_id", "attachment_uses", ["attachment_id"])
    _index("ix_attachment_uses_sensitive", "attachment_uses", "used_by", "is_sensitive")


def _index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(
        name, table, [column], postgresql_where=sa.text(where), sqlite_where=sa.text(where)
    )
