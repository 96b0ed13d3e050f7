"""Whom not to send to, as the statements of others need it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnCollection,
    ColumnElement,
    Row,
    Text,
    and_,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import ERASED, Pseudonyms
from notifier.notification.model import Channel
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    ID,
    AsciiLower,
    ComparedBy,
    Now,
    UtcTime,
    given_rows,
    is_key,
    literal_text,
    time_text,
)
from notifier.store.notification import timeline
from notifier.store.notification.rows import event_row
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.tables import suppressions

Lifted: TypeAlias = Sequence[Row[Any, Any]]
"""Of each that was on the list: the notification that brought it, if one did, and why."""

Columns: TypeAlias = ColumnCollection[str, Any] | Mapping[str, ColumnElement[Any]]


def names_of(
    pseudonyms: Pseudonyms | None, service: str, channel: Channel, recipient: str
) -> Sequence[str]:
    """Return how an address may stand on the list: as it is, and as what is left once erased."""
    if pseudonyms is None:
        return [recipient]
    return [recipient, pseudonyms.of(service, channel, recipient)]


everything: ColumnElement[str] = literal_text("")
"""The category of a suppression that is none of one category."""


def is_of(columns: Columns) -> ColumnElement[bool]:
    """Whether a suppression is of the service, channel and recipient in these columns.

    More than one may be: of several categories, and those of earlier versions stand there as they
    were written.
    """
    recipient = columns["recipient"]
    return and_(
        ComparedBy(suppressions.c.channel, suppressions.c.recipient)
        == ComparedBy(columns["channel"], recipient),
        # Not in the words of the primary key: all of a service's would be read to find one.
        *(
            suppressions.c[name] + literal_text("") == columns[name]
            for name in ("service", "channel")
        ),
        # Nor with columns of the primary key alone: while the list is short its whole index looks
        # as cheap, and what was planned then is kept until the table is analysed.
        suppressions.c.reason != literal_text(""),
    )


def is_for(columns: Columns, category: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a suppression is of these columns, and for this category or everything."""
    return and_(is_of(columns), _category == category)


def is_listed(columns: Columns, category: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether there is a suppression of these columns for this category or everything."""
    return exists().where(is_for(columns, category))


def is_suppressed(columns: Columns) -> ColumnElement[bool]:
    """Whether the notification in these columns is stopped by its service's list.

    An entry for a category stops what is of that category. What is required is stopped by an
    address that takes nothing or that an operator listed, not by what its recipient wants; but
    whoever stopped a telephone number gets no SMS at all.
    """
    is_about_it = or_(_category == everything, _category == columns["category"])
    is_stopping = or_(
        columns["is_required"].is_not(true()),
        ~is_recipients_will(),
        columns["channel"] == literal_text(Channel.SMS),
    )
    return exists().where(is_of(columns), is_about_it, is_stopping)


# Not in the words of the primary key: as in `is_of`.
_category = suppressions.c.category + literal_text("")


def is_recipients_will() -> ColumnElement[bool]:
    """Whether a suppression is there because the recipient asked for it."""
    return suppressions.c.reason.in_(
        [literal_text(each) for each in SuppressionReason if each.is_recipients_will]
    )


_given = given_rows(id=ID, reason=Text, at=UtcTime, is_of_category=Boolean, pseudonym=Text)
_of_its_category = and_(_given.c.is_of_category, n.c.category.is_not(None))
_about = case((_of_its_category, n.c.category), else_=everything)
# A provider's clock may be ahead of ours.
_at = case((_given.c.at < Now(), _given.c.at), else_=Now())
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
            *("service", "channel", "recipient", "recipient_as_written", "category"),
            *("reason", "notification_id", "created_at"),
        ],
        select(
            *(n.c.service, n.c.channel, _compared, _as_written, _about),
            *(_given.c.reason, n.c.id, _at),
        )
        .join_from(_given, n, is_key(n.c.id, _given.c.id))
        .where(~is_listed(n.c, _about))
        .order_by(n.c.service, n.c.channel, n.c.recipient, n.c.id),
    )
    .on_conflict_do_nothing()
    .returning(suppressions.c.notification_id)
)


_is_stronger = or_(
    ~is_recipients_will(),
    and_(
        _given.c.reason == literal_text(SuppressionReason.SPAM_REPORT),
        suppressions.c.reason == literal_text(SuppressionReason.UNSUBSCRIBED),
    ),
)
_WILL = (
    update(suppressions)
    .where(is_for(n.c, _about), is_key(n.c.id, _given.c.id), _is_stronger)
    .values(reason=_given.c.reason, created_at=_at)
)
_KEY = tuple(suppressions.primary_key)
_is_why = and_(suppressions.c.reason == _given.c.reason, suppressions.c.created_at <= _at)
_erased = {**dict(n.c.items()), "recipient": _given.c.pseudonym}
_LIFT = (
    delete(suppressions)
    .where(
        tuple_(*_KEY).in_(
            select(*_KEY)
            .join_from(_given, n, is_key(n.c.id, _given.c.id))
            .join(suppressions, or_(is_of(n.c), is_of(_erased)))
            .where(_is_why, or_(~_of_its_category, _category.in_([everything, n.c.category])))
        )
    )
    .returning(suppressions.c.notification_id, suppressions.c.reason)
)
# Few are erased, and fewer telephone numbers: all of that is gone through.
_SERVICES_OF_ERASED = (
    select(suppressions.c.service)
    .distinct()
    .where(
        suppressions.c.channel == literal_text(Channel.SMS),
        suppressions.c.recipient.startswith(ERASED),
    )
)
_numbers = given_rows(number=Text, reason=Text, at=UtcTime)
_LIFT_NUMBER = (
    delete(suppressions)
    .where(
        tuple_(*_KEY).in_(
            select(*_KEY)
            .join_from(_numbers, suppressions, suppressions.c.recipient == _numbers.c.number)
            .where(
                suppressions.c.channel == literal_text(Channel.SMS),
                suppressions.c.reason == _numbers.c.reason,
                suppressions.c.created_at
                <= case((_numbers.c.at < Now(), _numbers.c.at), else_=Now()),
            )
        )
    )
    .returning(suppressions.c.notification_id, suppressions.c.reason)
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an address is put on the list or taken off it, and since when; None for now."""

    reason: SuppressionReason
    at: datetime | None = None
    is_of_category: bool = False
    """Whether it is about the notification's category alone, where that has one."""


async def suppress(connection: AsyncConnection, causes: Mapping[UUID, Cause]) -> Collection[UUID]:
    """Suppress the recipients of these notifications; returns those that brought a new one.

    A recipient's will takes the place of another reason, so that it stays protected, and a
    complaint that of an unsubscription, which resubscribing undoes.
    """
    if not causes:
        return set()
    willed = {id: cause for id, cause in causes.items() if cause.reason.is_recipients_will}
    if willed:
        await connection.execute(_WILL, {"rows": _rows(willed)})
    result = await connection.execute(_SUPPRESS, {"rows": _rows(causes)})
    return {row.notification_id for row in result}


async def lift(
    connection: AsyncConnection, id: UUID, cause: Cause, pseudonyms: Pseudonyms | None
) -> Lifted:
    """Take the recipient of this notification off the list, if it is on it for this cause."""
    to = (await connection.execute(select(n).where(n.c.id == id))).one_or_none()
    if to is None:
        return []
    *_, pseudonym = names_of(pseudonyms, to.service, Channel(to.channel), to.recipient)
    given = encode({"id": id.hex, "pseudonym": pseudonym, **_fields(cause)})
    return (await connection.execute(_LIFT, {"rows": joined([given])})).all()


async def lift_number(
    connection: AsyncConnection, number: str, cause: Cause, pseudonyms: Pseudonyms | None
) -> Lifted:
    """Take a telephone number off every service's list, where it is on it for this cause."""
    names = {number}
    if pseudonyms:
        services = (await connection.scalars(_SERVICES_OF_ERASED)).all()
        names |= {pseudonyms.of(service, Channel.SMS, number) for service in services}
    rows = joined(encode({"number": name, **_fields(cause)}) for name in sorted(names))
    return (await connection.execute(_LIFT_NUMBER, {"rows": rows})).all()


async def note_lifted(connection: AsyncConnection, rows: Lifted, why: str) -> None:
    """Tell the timelines of those notifications that brought these onto the list."""
    causes = {row.notification_id: row.reason for row in rows if row.notification_id}
    found = await connection.execute(select(n.c.id, n.c.attempt).where(n.c.id.in_(causes)))
    events = [
        event_row(
            row.id,
            timeline.UNSUPPRESS,
            row.attempt,
            fault=Fault(kind="suppressed", code=causes[row.id], message=why),
        )
        for row in found
    ]
    await timeline.append(connection, events)


def _rows(causes: Mapping[UUID, Cause]) -> str:
    return joined(encode({"id": id.hex, **_fields(cause)}) for id, cause in causes.items())


def _fields(cause: Cause) -> Mapping[str, object]:
    at = None if cause.at is None else time_text(cause.at)
    return {"reason": cause.reason, "at": at, "is_of_category": cause.is_of_category}
