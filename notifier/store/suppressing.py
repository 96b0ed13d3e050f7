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
    update,
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


def is_recipients_will() -> ColumnElement[bool]:
    """Whether a suppression is there because the recipient asked for it."""
    return suppressions.c.reason.in_(
        [literal_text(each) for each in SuppressionReason if each.is_recipients_will]
    )


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


_WILL = (
    update(suppressions)
    .where(is_for(n.c), n.c.id == _given.c.id, ~is_recipients_will())
    .values(reason=_given.c.reason)
)


async def suppress(
    connection: AsyncConnection, reasons: Mapping[UUID, SuppressionReason]
) -> Collection[UUID]:
    """Suppress the recipients of these notifications; returns those that brought a new one.

    A recipient's will takes the place of another reason, so that it stays protected.
    """
    if not reasons:
        return set()
    willed = {id: reason for id, reason in reasons.items() if reason.is_recipients_will}
    if willed:
        await connection.execute(_WILL, {"rows": _rows(willed)})
    result = await connection.execute(_SUPPRESS, {"rows": _rows(reasons)})
    return {row.notification_id for row in result}


def _rows(reasons: Mapping[UUID, SuppressionReason]) -> str:
    return joined(encode({"id": id.hex, "reason": reason}) for id, reason in reasons.items())
