"""Suppress an address for one category of notifications, or for everything.

Code before inserts without a category, which is then for everything, and reads every entry as one
for everything: what it sends meanwhile is too little.
"""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import AsciiLower, ComparedBy, UtcTime

revision = "0024_suppress_by_category"
down_revision = "0023_let_go_what_is_old"
branch_labels = None
depends_on = None

_KEY = ("service", "channel", "recipient", "category")
_KEPT = (*_KEY[:3], "reason", "notification_id", "created_at", "recipient_as_written")


def upgrade() -> None:
    """Add the category to what tells one entry from another."""
    if op.get_bind().dialect.name == "sqlite":
        _make_anew()
    else:
        op.add_column("suppressions", _category())
        op.drop_constraint("pk_suppressions", "suppressions", type_="primary")
        op.create_primary_key("pk_suppressions", "suppressions", [*_KEY])
        op.drop_index("ix_suppressions_recipient_service_channel", "suppressions")
    op.create_index(
        "ix_suppressions_place",
        "suppressions",
        ["recipient", "service", "channel", "category"],
        unique=False,
    )


def _category() -> sa.Column[str]:
    return sa.Column("category", sa.Text(), nullable=False, server_default="")


def _make_anew() -> None:
    """Make the table again: SQLite changes no primary key."""
    op.rename_table("suppressions", "suppressions_before")
    for name in ("recipient_service_channel", "compared", "compared_by"):
        op.drop_index(f"ix_suppressions_{name}")
    op.create_table(
        "suppressions",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        _category(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("recipient_as_written", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(*_KEY, name=op.f("pk_suppressions")),
    )
    columns = ", ".join(_KEPT)
    op.execute(
        f"INSERT INTO suppressions ({columns}) SELECT {columns} FROM suppressions_before"  # noqa: S608  ours
    )
    op.drop_table("suppressions_before")
    channel, recipient = sa.column("channel", sa.Text()), sa.column("recipient", sa.Text())
    op.create_index(
        "ix_suppressions_compared", "suppressions", [AsciiLower(recipient)], unique=False
    )
    op.create_index(
        "ix_suppressions_compared_by",
        "suppressions",
        [ComparedBy(channel, recipient)],
        unique=False,
    )
