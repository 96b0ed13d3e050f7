"""What people choose at providers: mapped to their choices, where the directory knows them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Text, exists, literal, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY, Place
from notifier.audience.pseudonym import Pseudonyms
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from notifier.store.choosing import choose
from notifier.store.keys import api_keys
from notifier.store.kit.sql import Now, literal_text
from notifier.store.notification.suppressing import Cause, everything, is_listed
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.tables import suppressions
from notifier.store.recipients.tables import recipient_addresses

_a = recipient_addresses.c
_BY_SMS: Final = (ANY, Channel.SMS.value)
_SOURCES: Final[Mapping[SuppressionReason, Source]] = {
    SuppressionReason.UNSUBSCRIBED: Source.PROVIDER,
    SuppressionReason.SPAM_REPORT: Source.COMPLAINT,
}
_services = select(api_keys.c.service).distinct().subquery("services")


async def choose_off(
    connection: AsyncConnection, causes: Mapping[UUID, Cause]
) -> Mapping[UUID, bool]:
    """Switch off what people refused at a provider.

    Returns the notifications of those whom the directory knows, and whether a choice is all that
    it takes: who left one category gets what else there is.
    """
    willed = {id: cause for id, cause in causes.items() if cause.reason in _SOURCES}
    done: dict[UUID, bool] = {}
    for row in await _of_people(connection, willed):
        cause = willed[row.id]
        source = _SOURCES[cause.reason]
        user, changes = (row.service, row.user_id), {_place(row, cause): False}
        await choose(connection, user, changes, source, notification_id=row.id, pseudonyms=None)
        is_enough = cause.is_of_category and row.category is not None
        done[row.id] = is_enough and cause.reason is SuppressionReason.UNSUBSCRIBED
    return done


async def choose_on(
    connection: AsyncConnection, id: UUID, cause: Cause, pseudonyms: Pseudonyms | None
) -> bool:
    """Switch on what somebody wants again; whether that is new."""
    for row in await _of_people(connection, [id]):
        new = await choose(
            connection,
            (row.service, row.user_id),
            {_place(row, cause): True},
            Source.PROVIDER,
            notification_id=row.id,
            pseudonyms=pseudonyms,
        )
        return new > 0
    return False


async def stop(connection: AsyncConnection, number: str) -> bool:
    """Send no more SMS to a number, for each service that did; whether that is new."""
    entry = {
        "service": _services.c.service,
        "channel": literal_text(Channel.SMS),
        "recipient": literal(number, Text),
    }
    new = {
        **entry,
        "category": everything,
        "reason": literal_text(SuppressionReason.UNSUBSCRIBED),
        "created_at": Now(),
    }
    did_send = exists().where(
        n.c.service == _services.c.service,
        n.c.recipient == entry["recipient"],
        n.c.channel == entry["channel"],
    )
    listing = (
        insert(suppressions)
        .from_select([*new], select(*new.values()).where(did_send, ~is_listed(entry, everything)))
        .on_conflict_do_nothing()
    )
    listed = (await connection.execute(listing)).rowcount > 0
    return await _choose_by_number(connection, number, is_on=False) or listed


async def start(connection: AsyncConnection, number: str) -> bool:
    """Take back what `stop` chose for the people who have this number; whether that is new."""
    return await _choose_by_number(connection, number, is_on=None)


async def _choose_by_number(
    connection: AsyncConnection, number: str, *, is_on: bool | None
) -> bool:
    theirs = select(_a.service, _a.user_id).where(
        _a.service.in_(select(_services.c.service)),
        _a.channel == literal_text(Channel.SMS),
        _a.address == number,
    )
    found = (await connection.execute(theirs)).all()
    changed = [
        await choose(connection, tuple(row), {_BY_SMS: is_on}, Source.STOP, pseudonyms=None)
        for row in found
    ]
    return any(changed)


def _place(row: Row[*tuple[Any, ...]], cause: Cause) -> Place:
    return (row.category if cause.is_of_category and row.category else ANY, row.channel)


async def _of_people(
    connection: AsyncConnection, ids: Collection[UUID]
) -> Sequence[Row[*tuple[Any, ...]]]:
    if not ids:
        return ()
    asked = select(n.c.id, n.c.service, n.c.user_id, n.c.category, n.c.channel).where(
        n.c.id.in_(ids), n.c.user_id.is_not(None)
    )
    return (await connection.execute(asked.order_by(n.c.service, n.c.user_id))).all()
