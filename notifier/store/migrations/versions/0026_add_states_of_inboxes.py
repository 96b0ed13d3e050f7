"""Keep what was seen, archived and snoozed in inboxes.

What is there counts as seen, and so does what an older version delivers meanwhile: it counts none.
PostgreSQL builds the indexes beside those who write: see `notifier.store.indexing`.
"""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0026_add_states_of_inboxes"
down_revision = "0025_add_recipients"
branch_labels = None
depends_on = None

_OF_PARTS = {
    "inbox": "archived_at IS NULL AND snoozed_until IS NULL",
    "archived": "archived_at IS NOT NULL",
    "snoozed": "snoozed_until IS NOT NULL",
}


def upgrade() -> None:
    """Only add."""
    is_postgres = op.get_bind().dialect.name == "postgresql"
    seen = sa.text("now()") if is_postgres else sa.text("'2026-11-26T00:00:00.000Z'")
    for name in ("unseen", "version"):
        op.add_column("inboxes", sa.Column(name, sa.BigInteger(), server_default="0"))
    op.add_column("inbox_items", sa.Column("seen_at", UtcTime(), server_default=seen))
    op.add_column("inbox_items", sa.Column("archived_at", UtcTime()))
    op.add_column("inbox_items", sa.Column("snoozed_until", UtcTime()))
    if is_postgres:
        return
    for part, where in _OF_PARTS.items():
        columns = ["service", "recipient", "seq"]
        op.create_index(
            f"ix_inbox_items_{part}", "inbox_items", columns, sqlite_where=sa.text(where)
        )
    op.create_index(
        "ix_inbox_items_waking",
        "inbox_items",
        ["snoozed_until"],
        sqlite_where=sa.text(_OF_PARTS["snoozed"]),
    )
