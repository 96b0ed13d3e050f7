"""Note which partials a template takes in, and whether it reads the brand."""

import sqlalchemy as sa
from alembic import op

revision = "0018_note_what_templates_use"
down_revision = "0017_add_sizes_of_sms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "template_uses",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service", "used", "template", name=op.f("pk_template_uses")),
    )
    op.create_index("ix_template_uses_template", "template_uses", ["service", "template"])
