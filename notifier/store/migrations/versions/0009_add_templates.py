"""Keep templates, and what a notification was accepted with."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0009_add_templates"
down_revision = "0008_follow_what_happens"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add; the busy table comes last, so that it is locked for the shortest time."""
    op.create_table(
        "templates",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=True),
        sa.Column("is_archived", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "name", name=op.f("pk_templates")),
    )
    op.create_table(
        "template_drafts",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "name", name=op.f("pk_template_drafts")),
    )
    op.create_table(
        "template_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template_versions")),
    )
    op.create_index(
        "uq_template_versions_number",
        "template_versions",
        ["service", "name", "number"],
        unique=True,
    )
    op.add_column("notifications", sa.Column("template_version_id", sa.Uuid(), nullable=True))
    op.add_column("notifications", sa.Column("locale", sa.Text(), nullable=True))
