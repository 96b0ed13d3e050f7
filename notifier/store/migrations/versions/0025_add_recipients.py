"""Keep the people of services: their addresses, and the ids that they had before."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import JsonObject, UtcTime

revision = "0025_add_recipients"
down_revision = "0024_suppress_by_category"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "recipients",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("attributes", JsonObject(), nullable=True),
        sa.Column("choices", sa.Text(), nullable=True),
        sa.Column("quiet_hours", sa.Text(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "user_id", name=op.f("pk_recipients")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_recipients_attributes",
            "recipients",
            ["attributes"],
            postgresql_using="gin",
            postgresql_ops={"attributes": "jsonb_path_ops"},
            postgresql_where=sa.text("attributes IS NOT NULL"),
        )
    op.create_table(
        "recipient_addresses",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_as_written", sa.Text(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("verified_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint(
            "service", "user_id", "channel", "address", name=op.f("pk_recipient_addresses")
        ),
    )
    op.create_index(
        "ix_recipient_addresses_address",
        "recipient_addresses",
        ["service", "channel", "address"],
        unique=False,
    )
    op.create_index(
        "uq_recipient_addresses_primary",
        "recipient_addresses",
        ["service", "user_id", "channel"],
        unique=True,
        postgresql_where=sa.text("is_primary"),
        sqlite_where=sa.text("is_primary"),
    )
    op.create_table(
        "recipient_aliases",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service", "alias", name=op.f("pk_recipient_aliases")),
    )
    op.create_index(
        "ix_recipient_aliases_user_id", "recipient_aliases", ["service", "user_id"], unique=False
    )
    op.create_index(
        "ix_topic_members_user_id", "topic_members", ["service", "user_id"], unique=False
    )
