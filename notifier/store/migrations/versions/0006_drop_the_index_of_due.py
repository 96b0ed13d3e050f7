"""Drop the index of what is due by time alone: relays look by who sent it.

PostgreSQL drops it beside those who write: see `notifier.store.indexing`. Relays of code before
0004 then go through all that is due, and sort it.
"""

from alembic import op

revision = "0006_drop_the_index_of_due"
down_revision = "0005_note_unknown_messages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop an index, and nothing that code needs to be right."""
    if op.get_bind().dialect.name != "postgresql":
        op.drop_index("ix_notifications_due", "notifications")
