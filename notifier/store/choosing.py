"""Choosing by a link: choices of people, and suppressions of addresses alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Text, delete, literal, or_, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.choice_change import ChoiceChange, Source
from notifier.audience.choices import ANY, Choices, Place
from notifier.audience.choosing import Chosen
from notifier.audience.links import Chooser
from notifier.audience.person import Person
from notifier.audience.pseudonym import Pseudonyms
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from notifier.store.choices import note
from notifier.store.kit.database import Database
from notifier.store.kit.sql import Now, literal_text
from notifier.store.notification.suppressing import (
    is_for,
    is_listed,
    is_of,
    is_recipients_will,
    names_of,
)
from notifier.store.notification.tables import suppressions
from notifier.store.preferences import keep, locked
from notifier.store.recipients.reading import people

Changes: TypeAlias = Mapping[Place, bool | None]

_s = suppressions.c
_UNSUBSCRIBED = SuppressionReason.UNSUBSCRIBED


class SqlChoosing:
    """`Choosing` over SQL."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms | None = None) -> None:
        """`pseudonyms` are those by which an address is known that was erased."""
        self._database = database
        self._pseudonyms = pseudonyms

    async def chosen(self, chooser: Chooser) -> Chosen:
        async def work(connection: AsyncConnection) -> Chosen:
            if chooser.user_id is None:
                return await _chosen_by_address(connection, chooser, self._pseudonyms)
            return await _chosen_by_person(connection, chooser.service, chooser.user_id)

        return await self._database.read(work)

    async def choose(self, chooser: Chooser, changes: Changes, source: Source) -> int:
        async def work(connection: AsyncConnection) -> int:
            if chooser.user_id is None:
                new = await _suppress_and_lift(connection, chooser, changes, self._pseudonyms)
                await note(connection, _noted(chooser, new, source))
                return len(new)
            user, pseudonyms = (chooser.service, chooser.user_id), self._pseudonyms
            return await choose(connection, user, changes, source, pseudonyms=pseudonyms)

        return await self._database.write(work)


async def choose(
    connection: AsyncConnection,
    user: tuple[str, str],
    changes: Changes,
    source: Source,
    *,
    notification_id: UUID | None = None,
    pseudonyms: Pseudonyms | None,
) -> int:
    """Change what somebody in the directory chose, and note it; returns how much of it is new.

    `user` is their service and id.

    Where they unsubscribed from what they now want, their addresses come off the list: they may
    have done so before the directory knew them, or at a provider.
    """
    service, user_id = user
    person = await locked(connection, service, user_id)
    if person is None:
        return 0
    before = person.choices
    new = {place: is_on for place, is_on in changes.items() if before.by_place.get(place) != is_on}
    if new:
        await keep(connection, person, before.changed(new), person.quiet_hours)
    await _lift_wanted(connection, person, changes, pseudonyms)
    whose = Chooser(service=service, channel=Channel.EMAIL, category=ANY, user_id=person.user_id)
    await note(connection, _noted(whose, new, source, notification_id))
    return len(new)


async def _lift_wanted(
    connection: AsyncConnection, person: Person, changes: Changes, pseudonyms: Pseudonyms | None
) -> None:
    wanted = {place for place, is_on in changes.items() if is_on}
    for address in person.addresses:
        here = {category for category, channel in wanted if channel in (ANY, address.channel)}
        for category in sorted(here | {ANY}) if here else ():
            entry = Chooser(
                service=person.service,
                channel=address.channel,
                category=category,
                recipient=address.compared,
            )
            await _lift(connection, entry, _category(category), pseudonyms)


async def _chosen_by_person(connection: AsyncConnection, service: str, user_id: str) -> Chosen:
    person = (await people(connection, [(service, user_id)])).get((service, user_id))
    if person is None:
        return Chosen(is_known=False)
    reached = [channel for channel in Channel if person.address_for(channel)]
    return Chosen(choices=person.choices, channels=reached, locale=person.locale)


async def _chosen_by_address(
    connection: AsyncConnection, chooser: Chooser, pseudonyms: Pseudonyms | None
) -> Chosen:
    is_theirs = or_(*map(is_of, _entries(chooser, pseudonyms)))
    unwanted = select(_s.category).where(is_theirs, is_recipients_will())
    found = await connection.scalars(unwanted)
    choices = {(category or ANY, chooser.channel.value): False for category in found}
    return Chosen(choices=Choices(choices), channels=[chooser.channel])


async def _suppress_and_lift(
    connection: AsyncConnection,
    chooser: Chooser,
    changes: Changes,
    pseudonyms: Pseudonyms | None,
) -> Changes:
    wanted = {category: is_on is not False for (category, _), is_on in changes.items()}
    lifting = [category for category, is_on in wanted.items() if is_on]
    new: dict[Place, bool | None] = {}
    for category in [ANY, *lifting] if lifting else []:
        if await _lift(connection, chooser, _category(category), pseudonyms):
            new[category, chooser.channel] = True
    for category, is_on in wanted.items():
        if not is_on and await _suppress(connection, chooser, _category(category)):
            new[category, chooser.channel] = False
    return new


async def _lift(
    connection: AsyncConnection,
    chooser: Chooser,
    category: ColumnElement[str],
    pseudonyms: Pseudonyms | None,
) -> bool:
    is_it = or_(*(is_for(each, category) for each in _entries(chooser, pseudonyms)))
    is_why = _s.reason == literal_text(_UNSUBSCRIBED)
    return (await connection.execute(delete(suppressions).where(is_it, is_why))).rowcount > 0


async def _suppress(
    connection: AsyncConnection, chooser: Chooser, category: ColumnElement[str]
) -> bool:
    entry = _entry(chooser)
    new: dict[str, ColumnElement[Any]] = {
        **entry,
        "category": category,
        "reason": literal(_UNSUBSCRIBED, Text),
        "created_at": Now(),
    }
    adding = (
        insert(suppressions)
        .from_select([*new], select(*new.values()).where(~is_listed(entry, category)))
        .on_conflict_do_nothing()
    )
    return (await connection.execute(adding)).rowcount > 0


def _entry(chooser: Chooser) -> Mapping[str, ColumnElement[str]]:
    return {
        "service": literal(chooser.service, Text),
        "channel": literal(chooser.channel, Text),
        "recipient": literal(chooser.recipient or "", Text),
    }


def _entries(
    chooser: Chooser, pseudonyms: Pseudonyms | None
) -> Sequence[Mapping[str, ColumnElement[str]]]:
    """Return where an address stands, as it is and as what was left of it once erased."""
    names = names_of(pseudonyms, chooser.service, chooser.channel, chooser.recipient or "")
    return [{**_entry(chooser), "recipient": literal(name, Text)} for name in names]


def _category(category: str) -> ColumnElement[str]:
    return literal("" if category == ANY else category, Text)


def _noted(
    chooser: Chooser, changes: Changes, source: Source, notification_id: UUID | None = None
) -> Iterable[ChoiceChange]:
    for (category, channel), is_on in changes.items():
        yield ChoiceChange(
            service=chooser.service,
            category=category,
            channel=channel,
            is_on=is_on,
            source=source,
            user_id=chooser.user_id,
            recipient=chooser.recipient,
            notification_id=notification_id,
        )
