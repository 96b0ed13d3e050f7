"""Index suppressions by what a channel's recipients are compared by.

By addresses without case alone, whoever listed user ids that differ in nothing but case made a
look-up for each of them, and for an address that reads like them, go through all of these.
"""

import sqlalchemy as sa
from alembic import op

from notifier.store.kit.sql import ComparedBy

revision = "0007_look_up_as_compared"
down_revision = "0006_drop_the_index_of_due"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add: code before looks by the index that it has."""
    op.create_index(
        "ix_suppressions_compared_by",
        "suppressions",
        [ComparedBy(sa.column("channel", sa.Text()), sa.column("recipient", sa.Text()))],
        unique=False,
    )
