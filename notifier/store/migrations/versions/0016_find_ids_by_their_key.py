"""Keep what is looked up by its id out of the indexes that only end with one.

PostgreSQL builds them anew, for statements that name a service, beside those who write: see
`notifier.store.indexing`. SQLite plans no such thing, and only gets the names.
"""

from alembic import op

revision = "0016_find_ids_by_their_key"
down_revision = "0015_keep_finished_content"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_notifications_service_id": ("ix_notifications_of_service", ["service", "id"]),
    "ix_notifications_service_recipient_id": (
        "ix_notifications_of_recipient",
        ["service", "recipient", "id"],
    ),
}


def upgrade() -> None:
    """Name an index anew, and drop the one that had its work."""
    if op.get_bind().dialect.name == "postgresql":
        return
    for old, (new, columns) in _INDEXES.items():
        op.create_index(new, "notifications", columns, unique=False)
        op.drop_index(old, "notifications")
