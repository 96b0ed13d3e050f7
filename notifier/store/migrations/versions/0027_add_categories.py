"""Keep what people choose by, what they chose when, and how much of their caps they used."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime
from notifier.store.kit.tables import Serial

revision = "0027_add_categories"
down_revision = "0026_add_states_of_inboxes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add."""
    op.create_table(
        "categories",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("titles", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("can_switch_off", sa.Boolean(), nullable=False),
        sa.Column("defaults", sa.Text(), nullable=False),
        sa.Column("cap_limit", sa.Integer(), nullable=True),
        sa.Column("cap_per", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "key", name=op.f("pk_categories")),
    )
    op.create_table(
        "quiet_hour_defaults",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("quiet_hours", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_quiet_hour_defaults")),
    )
    op.create_table(
        "cap_uses",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("cap", sa.Text(), nullable=False),
        sa.Column("slot", UtcTime(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("service", "user_id", "cap", "slot", name=op.f("pk_cap_uses")),
    )
    op.create_index("ix_cap_uses_slot", "cap_uses", ["slot"], unique=False)
    _add_changes()


def _add_changes() -> None:
    op.create_table(
        "choice_changes",
        sa.Column("id", Serial, nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_choice_changes")),
    )
    op.create_index(
        "ix_choice_changes_user_id", "choice_changes", ["service", "user_id", "id"], unique=False
    )
    op.create_index(
        "ix_choice_changes_recipient", "choice_changes", ["service", "recipient"], unique=False
    )
