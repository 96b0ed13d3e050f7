"""Whom not to send to, as the statements of others need it."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ColumnCollection,
    ColumnElement,
    Text,
    and_,
    case,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import Channel, SuppressionReason
from notifier.store.rows import encode, joined
from notifier.store.sql import ID, AsciiLower, Now, given_rows, literal_text
from notifier.store.tables import notifications as n
from notifier.store.tables import suppressions

Columns: TypeAlias = ColumnCollection[str, Any] | Mapping[str, ColumnElement[Any]]


def is_for(columns: Columns) -> ColumnElement[bool]:
    """Whether a suppression is for the service, channel and recipient in these columns.

    More than one may be: those of earlier versions stand there as they were written.
    """
    recipient = columns["recipient"]
    return and_(
        *(suppressions.c[name] == columns[name] for name in ("service", "channel")),
        AsciiLower(suppressions.c.recipient) == AsciiLower(recipient),
        # User ids are compared as they are.
        or_(
            suppressions.c.channel != literal_text(Channel.IN_APP),
            suppressions.c.recipient == recipient,
        ),
    )


def is_suppressed(columns: Columns) -> ColumnElement[bool]:
    """Whether the recipient in these columns is on its service's list."""
    return exists().where(is_for(columns))


_given = given_rows(id=ID, reason=Text)
# Records of earlier versions have their recipient as it was written.
_compared = case(
    (n.c.channel == literal_text(Channel.EMAIL), AsciiLower(n.c.recipient)), else_=n.c.recipient
)
_as_written = func.nullif(func.coalesce(n.c.recipient_as_written, n.c.recipient), _compared)
# In one order for everybody, so that two transactions never wait for one another. SQLite needs
# the WHERE to tell ON CONFLICT from a join's ON.
_SUPPRESS = (
    insert(suppressions)
    .from_select(
        [
            *("service", "channel", "recipient", "recipient_as_written"),
            *("reason", "notification_id", "created_at"),
        ],
        select(n.c.service, n.c.channel, _compared, _as_written, _given.c.reason, n.c.id, Now())
        .join_from(_given, n, n.c.id == _given.c.id)
        .where(~is_suppressed(n.c))
        .order_by(n.c.service, n.c.channel, n.c.recipient, n.c.id),
    )
    .on_conflict_do_nothing()
    .returning(suppressions.c.notification_id)
)


async def suppress(
    connection: AsyncConnection, reasons: Mapping[UUID, SuppressionReason]
) -> Collection[UUID]:
    """Suppress the recipients of these notifications; returns those that brought a new one."""
    if not reasons:
        return set()
    rows = joined(encode({"id": id.hex, "reason": reason}) for id, reason in reasons.items())
    result = await connection.execute(_SUPPRESS, {"rows": rows})
    return {row.notification_id for row in result}
