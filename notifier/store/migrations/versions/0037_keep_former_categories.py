"""Keep the keys of categories that were removed: what addresses chose of them still counts."""

import sqlalchemy as sa
from alembic import op

revision = "0037_keep_former_categories"
down_revision = "0036_bound_digests"
branch_labels = None
depends_on = None

_CHOSEN_OF = """
INSERT INTO former_categories (service, key)
SELECT DISTINCT service, category FROM suppressions
WHERE category <> '' AND NOT EXISTS (
    SELECT 1 FROM categories
    WHERE categories.service = suppressions.service AND categories.key = suppressions.category
)
"""


def upgrade() -> None:
    """Only add, and note those of which somebody wants nothing."""
    op.create_table(
        "former_categories",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service", "key", name=op.f("pk_former_categories")),
    )
    op.execute(_CHOSEN_OF)
