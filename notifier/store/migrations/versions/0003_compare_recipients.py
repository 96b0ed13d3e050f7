"""Compare recipients without case and width, and keep them as they were written."""

import sqlalchemy as sa
from alembic import op

from notifier.audience.recipient import compared
from notifier.notification.model import Channel
from notifier.store.kit.sql import AsciiLower

revision = "0003_compare_recipients"
down_revision = "0002_add_provider_tables"
branch_labels = None
depends_on = None

_listed = sa.table(
    "suppressions",
    sa.column("service", sa.Text()),
    sa.column("channel", sa.Text()),
    sa.column("recipient", sa.Text()),
    sa.column("recipient_as_written", sa.Text()),
)
_names = (_listed.c.service, _listed.c.channel, _listed.c.recipient)


def upgrade() -> None:
    """Only add; the busy table comes last, so that it is locked for the shortest time."""
    op.create_index(
        "ix_suppressions_compared",
        "suppressions",
        [AsciiLower(_listed.c.recipient)],
        unique=False,
    )
    op.add_column("suppressions", sa.Column("recipient_as_written", sa.Text(), nullable=True))
    _compare_what_sql_cannot()
    op.add_column("notifications", sa.Column("recipient_as_written", sa.Text(), nullable=True))


def _compare_what_sql_cannot() -> None:
    """Bring the few addresses that are not ASCII into their compared form."""
    connection = op.get_bind()
    is_email = _listed.c.channel == Channel.EMAIL.value
    matches, others = ("~", "[^ -~]")
    if connection.dialect.name == "sqlite":
        matches, others = ("GLOB", "*[^ -~]*")
    is_beyond_ascii = _listed.c.recipient.bool_op(matches)(others)
    for row in connection.execute(sa.select(*_names).where(is_email, is_beyond_ascii)).all():
        recipient = compared(Channel.EMAIL, row.recipient)
        if recipient == row.recipient:
            continue
        here = (_listed.c.service == row.service, is_email)
        same = sa.select(_listed.c.recipient).where(*here, _listed.c.recipient == recipient)
        changed = (*here, _listed.c.recipient == row.recipient)
        if connection.execute(same).first():
            connection.execute(sa.delete(_listed).where(*changed))
        else:
            values = {"recipient": recipient, "recipient_as_written": row.recipient}
            connection.execute(sa.update(_listed).where(*changed).values(values))
