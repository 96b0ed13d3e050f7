"""The addresses that services must not send to."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    and_,
    delete,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import Pseudonyms
from notifier.audience.recipient import compared, compared_forms
from notifier.audience.suppression import Lifted, Protected, Suppression, SuppressionPlace
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from notifier.store.kit.database import Database
from notifier.store.kit.distinct import values_of
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.sql import ComparedBy, Now, literal_text
from notifier.store.notification.rows import as_written
from notifier.store.notification.suppressing import (
    everything,
    is_for,
    is_listed,
    is_recipients_will,
    names_of,
    note_lifted,
)
from notifier.store.notification.tables import suppressions

_WHY = (suppressions.c.reason, suppressions.c.notification_id)
_KEY = tuple(suppressions.primary_key)
_ORDER = ("recipient", "service", "channel", "category")
_START = SuppressionPlace("", "", min(Channel))
_MOST_SERVICES = 50
_every = values_of(suppressions.c.service)
_EVERY_SERVICE = (
    select(_every.c.service).where(_every.c.service.is_not(None)).limit(_MOST_SERVICES + 1)
)


class SqlSuppressionStore:
    """`SuppressionStore` over SQL."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms | None = None) -> None:
        """`pseudonyms` are those by which an address is known that was erased."""
        self._database = database
        self._pseudonyms = pseudonyms

    async def add(
        self,
        *,
        service: str,
        channel: Channel,
        recipient: str,
        reason: SuppressionReason,
        category: str | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        entry, of_category = _entry(service, channel, recipient), _category(category)
        new = {
            **entry,
            "category": of_category,
            "recipient_as_written": literal(as_written(recipient, compared(channel, recipient))),
            "reason": literal(reason, Text),
            "created_at": Now(),
        }
        statement = (
            insert(suppressions)
            .from_select([*new], select(*new.values()).where(~is_listed(entry, of_category)))
            .on_conflict_do_nothing()
        )

        is_weaker = and_(is_for(entry, of_category), ~is_recipients_will())
        willed = update(suppressions).where(is_weaker).values(reason=reason)

        async def work(connection: AsyncConnection) -> Applied:
            if reason.is_recipients_will:
                await connection.execute(willed)
            await connection.execute(statement)
            return Applied()

        return await write_once(self._database, idempotency, work)

    async def reason(
        self, service: str, channel: Channel, recipient: str, category: str | None
    ) -> SuppressionReason | None:
        is_about_it = or_(
            *(
                is_for(entry, each)
                for entry in self._entries(service, channel, recipient)
                for each in (everything, _category(category))
            )
        )
        query = select(suppressions.c.reason).where(is_about_it)

        async def work(connection: AsyncConnection) -> SuppressionReason | None:
            reasons = map(SuppressionReason, await connection.scalars(query))
            return min(reasons, key=lambda reason: reason.is_recipients_will, default=None)

        return await self._database.read(work)

    async def remove(
        self,
        *,
        service: str,
        channel: Channel,
        recipient: str,
        category: str | None = None,
        why: str | None = None,
    ) -> Lifted | Protected | NotFound:
        entries = self._entries(service, channel, recipient)
        is_it = or_(*(is_for(entry, _category(category)) for entry in entries))

        async def work(connection: AsyncConnection) -> Lifted | Protected | NotFound:
            removal = delete(suppressions).where(is_it).returning(*_WHY)
            rows = (await connection.execute(removal)).all()
            reasons = frozenset(SuppressionReason(row.reason) for row in rows)
            willed = sorted(each for each in reasons if each.is_recipients_will)
            if willed and why is None:
                await connection.rollback()
                return Protected(willed[0])
            await note_lifted(connection, rows, why or "taken off the suppression list")
            return Lifted(reasons) if rows else NotFound()

        return await self._database.write(work)

    def _entries(
        self, service: str, channel: Channel, recipient: str
    ) -> Sequence[Mapping[str, ColumnElement[Any]]]:
        """Return where an address stands, as it is and as what was left of it once erased."""
        names = names_of(self._pseudonyms, service, channel, recipient)
        return [_entry(service, channel, name) for name in names]

    async def list(
        self,
        *,
        service: str | None,
        channel: Channel | None,
        limit: int,
        after: SuppressionPlace | None,
        recipient: str | None = None,
        reason: SuppressionReason | None = None,
    ) -> Sequence[Suppression]:
        place = after or _START
        is_wanted = [] if reason is None else [suppressions.c.reason == literal(reason, Text)]

        async def lists(connection: AsyncConnection) -> Select[Any]:
            services = await _services(connection, channel) if service is None else [service]
            each_list = [
                _list(each, which, place).where(*is_wanted).limit(limit)
                for each in services
                for which in ([channel] if channel else Channel)
            ]
            return _merged(each_list) if each_list else _all(channel).where(*is_wanted)

        async def work(connection: AsyncConnection) -> builtins.list[Suppression]:
            if recipient is None:
                found = await lists(connection)
            else:
                found = _of_recipient(recipient, service, channel).where(*is_wanted)
            is_behind = tuple_(*_place_in(found)) > _seen(place)
            query = found.where(is_behind).order_by(*_place_in(found))
            rows = await connection.execute(query.limit(limit))
            return [_to_suppression(row) for row in rows]

        return await self._database.search(work)


async def _services(connection: AsyncConnection, channel: Channel | None) -> Sequence[str]:
    """Return the services whose lists to look at one by one, if that is better than all at once."""
    if channel is None:
        return ()
    found = (await connection.scalars(_EVERY_SERVICE)).all()
    return () if len(found) > _MOST_SERVICES else found


def _all(channel: Channel | None) -> Select[Any]:
    is_asked_for = [] if channel is None else [suppressions.c.channel == channel]
    return select(suppressions).where(*is_asked_for)


def _of_recipient(recipient: str, service: str | None, channel: Channel | None) -> Select[Any]:
    """Return where an address stands, over the index by which it is compared."""
    forms = sorted(compared_forms(recipient))
    is_it = ComparedBy(suppressions.c.channel, suppressions.c.recipient).in_(forms)
    is_asked_for = [
        suppressions.c[name] + literal_text("") == literal(value, Text)
        for name, value in (("service", service), ("channel", channel))
        if value is not None
    ]
    return select(suppressions).where(is_it, *is_asked_for)


def _list(service: str, channel: Channel, place: SuppressionPlace) -> Select[Any]:
    """Return what one service must not send to over one channel, behind this place.

    Its order and its bounds are to be had from the primary key alone: PostgreSQL would take the
    index by recipient, and go through what all the others have.
    """
    here = [literal(service), literal(channel.value)]
    is_near = tuple_(*_KEY[:3]) >= tuple_(*here, literal(place.recipient))
    is_here = tuple_(*_KEY[:2]) <= tuple_(*here)
    written = [column + literal_text("") for column in _place_in(select(suppressions))]
    is_behind = tuple_(*written) > _seen(place)
    return select(suppressions).where(is_near, is_here, is_behind).order_by(*_KEY)


def _merged(lists: Sequence[Select[Any]]) -> Select[Any]:
    return select(union_all(*(select(each.subquery()) for each in lists)).subquery())


def _place_in(found: Select[Any]) -> Sequence[ColumnElement[Any]]:
    return [found.selected_columns[name] for name in _ORDER]


def _seen(place: SuppressionPlace) -> ColumnElement[Any]:
    values = (place.recipient, place.service, place.channel.value, place.category)
    return tuple_(*map(literal, values))


def _entry(service: str, channel: Channel, recipient: str) -> Mapping[str, ColumnElement[Any]]:
    return {
        "service": literal(service, Text),
        "channel": literal(channel, Text),
        "recipient": literal(compared(channel, recipient), Text),
    }


def _category(category: str | None) -> ColumnElement[str]:
    return literal(category or "", Text)


def _to_suppression(row: Row[Any]) -> Suppression:
    return Suppression(
        service=row.service,
        channel=Channel(row.channel),
        recipient=row.recipient_as_written or row.recipient,
        compared=row.recipient,
        category=row.category or None,
        reason=SuppressionReason(row.reason),
        notification_id=row.notification_id,
        created_at=row.created_at,
    )
