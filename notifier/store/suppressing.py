"""Whom not to send to, as the statements of others need it."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnCollection, ColumnElement, Text, and_, exists, select, text
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import SuppressionReason
from notifier.store.rows import encode, joined
from notifier.store.sql import ID, Now, given_rows
from notifier.store.tables import notifications as n
from notifier.store.tables import suppressions

_given = given_rows(id=ID, reason=Text)
# In one order for everybody, so that two transactions never wait for one another. SQLite needs
# the WHERE to tell ON CONFLICT from a join's ON.
_SUPPRESS = (
    insert(suppressions)
    .from_select(
        ["service", "channel", "recipient", "reason", "notification_id", "created_at"],
        select(n.c.service, n.c.channel, n.c.recipient, _given.c.reason, n.c.id, Now())
        .join_from(_given, n, n.c.id == _given.c.id)
        .where(text("true"))
        .order_by(n.c.service, n.c.channel, n.c.recipient, n.c.id),
    )
    .on_conflict_do_nothing()
    .returning(suppressions.c.notification_id)
)


def is_for(columns: ColumnCollection[str, Any]) -> ColumnElement[bool]:
    """Whether a suppression is for the service, channel and recipient in these columns."""
    names = ("service", "channel", "recipient")
    return and_(*(suppressions.c[name] == columns[name] for name in names))


def is_suppressed(columns: ColumnCollection[str, Any]) -> ColumnElement[bool]:
    """Whether the recipient in these columns is on its service's list, once or more."""
    return exists().where(is_for(columns))


async def suppress(
    connection: AsyncConnection, reasons: Mapping[UUID, SuppressionReason]
) -> Collection[UUID]:
    """Suppress the recipients of these notifications; returns those that brought a new one."""
    if not reasons:
        return set()
    rows = joined(encode({"id": id.hex, "reason": reason}) for id, reason in reasons.items())
    result = await connection.execute(_SUPPRESS, {"rows": rows})
    return {row.notification_id for row in result}
