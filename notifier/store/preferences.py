"""Changing what people want, with a note of each choice that is another one then."""

from collections.abc import Iterable

from sqlalchemy import Text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.changing import Wishes, preferences_etag
from notifier.audience.choice_change import ChoiceChange, Source
from notifier.audience.choices import Choices
from notifier.audience.person import Person
from notifier.audience.quiet_hours import QuietHours
from notifier.idempotency import LostRace, NotFound
from notifier.store.choices import note
from notifier.store.kit.database import Database
from notifier.store.kit.sql import Now, parameter
from notifier.store.recipients.reading import people
from notifier.store.recipients.tables import recipients
from notifier.store.recipients.writing import hold

_r = recipients.c
_SET = (
    update(recipients)
    .where(_r.service == parameter("of_service"), _r.user_id == parameter("of_user_id"))
    .values(
        choices=parameter("new_choices", Text),
        quiet_hours=parameter("new_quiet_hours", Text),
        updated_at=Now(),
    )
)


class SqlPreferenceStore:
    """`PreferenceStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(
        self,
        service: str,
        user_id: str,
        wishes: Wishes,
        source: Source,
        *,
        if_match: str | None = None,
    ) -> Person | NotFound | LostRace:
        async def work(connection: AsyncConnection) -> Person | NotFound | LostRace:
            before = await locked(connection, service, user_id)
            if before is None:
                return NotFound()
            etag = preferences_etag(before)
            if if_match not in (None, etag):
                return LostRace(etag)
            return await _changed(connection, before, wishes, source)

        return await self._database.write(work)


async def locked(connection: AsyncConnection, service: str, user_id: str) -> Person | None:
    """Return somebody whom nobody else changes any more; None: nobody has this id."""
    now, _ = await hold(connection, service, [user_id])
    current = now.get(user_id, user_id)
    return (await people(connection, [(service, current)])).get((service, current))


async def keep(
    connection: AsyncConnection, person: Person, choices: Choices, hours: QuietHours | None
) -> None:
    """Put these in the place of what somebody, who is locked, chose before."""
    given = {
        "of_service": person.service,
        "of_user_id": person.user_id,
        "new_choices": choices.encode() if choices else None,
        "new_quiet_hours": hours.encode() if hours else None,
    }
    await connection.execute(_SET, given)


async def _changed(
    connection: AsyncConnection, before: Person, wishes: Wishes, source: Source
) -> Person:
    choices, hours = before.choices.changed(wishes.choices), wishes.of(before)
    if (choices, hours) == (before.choices, before.quiet_hours):
        return before
    await keep(connection, before, choices, hours)
    await note(connection, _changes(before, wishes, source))
    who = (before.service, before.user_id)
    return (await people(connection, [who]))[who]


def _changes(before: Person, wishes: Wishes, source: Source) -> Iterable[ChoiceChange]:
    for (category, channel), is_on in wishes.choices.items():
        if before.choices.by_place.get((category, channel)) != is_on:
            yield ChoiceChange(
                service=before.service,
                user_id=before.user_id,
                category=category,
                channel=channel,
                is_on=is_on,
                source=source,
            )
