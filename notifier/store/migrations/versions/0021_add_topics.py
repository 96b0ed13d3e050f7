"""Keep topics, and who is told about them."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0021_add_topics"
down_revision = "0020_address_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "topics",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "key", name=op.f("pk_topics")),
    )
    op.create_table(
        "topic_members",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("properties", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("service", "topic", "user_id", name=op.f("pk_topic_members")),
    )
