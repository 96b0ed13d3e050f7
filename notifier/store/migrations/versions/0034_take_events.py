"""Take events, keep what came of them, and gather some of that in digests."""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import UtcTime

revision = "0034_take_events"
down_revision = "0033_add_rules"
branch_labels = None
depends_on = None

_IS_KEPT = "key IS NOT NULL AND outcome = 'matched'"
_IS_OPEN = "closed_at IS NULL"
_IS_CLOSED = "closed_at IS NOT NULL AND settled_at IS NULL"


def upgrade() -> None:
    """Only add."""
    _add_events()
    _add_matches()
    _add_throttles()
    _add_digests()
    _add_items()


def _add_events() -> None:
    op.create_table(
        "events",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("time", UtcTime(), nullable=True),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "source", "event_id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_id", "events", ["id"], unique=True)
    op.create_index("ix_events_of_service", "events", ["service", "id"], unique=False)
    op.create_index("ix_events_received", "events", ["received_at"], unique=False)


def _add_matches() -> None:
    op.create_table(
        "event_matches",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("nth", sa.Integer(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("is_user", sa.Boolean(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("notification_ids", sa.Text(), nullable=True),
        sa.Column("digest_id", sa.Uuid(), nullable=True),
        sa.Column("broadcast_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", "nth", name=op.f("pk_event_matches")),
    )
    whose = ["service", "rule", "person", "key"]
    _add_partial("ix_event_matches_key", "event_matches", whose, _IS_KEPT, unique=True)
    _add_partial("ix_event_matches_person", "event_matches", ["service", "person"], "person <> ''")


def _add_throttles() -> None:
    op.create_table(
        "throttles",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("service", "rule", "person", "key", name=op.f("pk_throttles")),
    )
    op.create_index("ix_throttles_ends", "throttles", ["ends_at"], unique=False)


def _add_digests() -> None:
    op.create_table(
        "digests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("is_user", sa.Boolean(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("match_key", sa.Text(), nullable=True),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("max_items", sa.Integer(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("look_at", UtcTime(), nullable=True),
        sa.Column("settled_at", UtcTime(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("notification_ids", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digests")),
    )
    whose = ["service", "rule", "person", "key"]
    _add_partial("ix_digests_open", "digests", whose, _IS_OPEN, unique=True)
    _add_partial("ix_digests_due", "digests", ["due_at"], _IS_OPEN)
    _add_partial("ix_digests_closed", "digests", ["look_at"], _IS_CLOSED)
    _add_partial("ix_digests_settled", "digests", ["settled_at"], "settled_at IS NOT NULL")
    op.create_index("ix_digests_person", "digests", ["service", "person"], unique=False)


def _add_items() -> None:
    op.create_table(
        "digest_items",
        sa.Column("digest_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("match_key", sa.Text(), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest_id", "event_id", name=op.f("pk_digest_items")),
    )
    _add_partial("ix_digest_items_key", "digest_items", ["match_key"], "match_key IS NOT NULL")


def _add_partial(
    name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        postgresql_where=sa.text(where),
        sqlite_where=sa.text(where),
    )
