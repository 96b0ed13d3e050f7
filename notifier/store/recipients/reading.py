"""Finding people by their ids: one statement for all who ask at the same time."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from sqlalchemy import FromClause, Label, Select, Text, and_, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.person import Person
from notifier.store.kit.batcher import batched
from notifier.store.kit.database import Database
from notifier.store.kit.json import JsonArray, JsonRecord
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import given_rows, is_key
from notifier.store.recipients.rows import to_person
from notifier.store.recipients.tables import recipient_addresses, recipient_aliases, recipients

Asked: TypeAlias = tuple[str, frozenset[str]]
"""A service, and ids of its."""

_MAX_BATCH: Final = 1_000

r, _a, _l = recipients.c, recipient_addresses.c, recipient_aliases.c

_TOLD = ("channel", "address", "address_as_written", "is_primary", "verified_at")
_MEMBERS = tuple(chain.from_iterable((literal_column(f"'{name}'"), _a[name]) for name in _TOLD))


def addresses_of(rows: FromClause) -> Label[Any]:
    """Return all addresses of a row of `recipients`, or of a part of these, as one text."""
    of_row = (_a.service == rows.c.service, _a.user_id == rows.c.user_id)
    all_of_them = select(JsonArray(JsonRecord(*_MEMBERS))).where(*of_row).correlate(rows)
    return all_of_them.scalar_subquery().label("addresses")


ADDRESSES = addresses_of(recipients)

_given = given_rows("rows", service=Text, asked=Text)
_is_alias = and_(is_key(_l.alias, _given.c.asked), is_key(_l.service, _given.c.service))
_meant = (
    select(
        _given.c.service,
        _given.c.asked,
        func.coalesce(_l.user_id, _given.c.asked).label("user_id"),
    )
    .select_from(_given.outerjoin(recipient_aliases, _is_alias))
    .subquery("meant")
)
_is_meant = and_(is_key(r.user_id, _meant.c.user_id), is_key(r.service, _meant.c.service))
_PEOPLE: Select[Any] = select(recipients, ADDRESSES, _meant.c.asked).join_from(
    _meant, recipients, _is_meant
)


class SqlDirectory:
    """`Directory` over SQL."""

    def __init__(self, database: Database) -> None:
        self._people = batched(database, _found, _MAX_BATCH, lambda asked: len(asked[1]))

    async def people(self, service: str, user_ids: Collection[str]) -> Mapping[str, Person]:
        return await self._people.submit((service, frozenset(user_ids))) if user_ids else {}


async def _found(database: Database, asked: Sequence[Asked]) -> Sequence[Mapping[str, Person]]:
    wanted = {(service, user_id) for service, user_ids in asked for user_id in user_ids}

    async def work(connection: AsyncConnection) -> Mapping[tuple[str, str], Person]:
        return await people(connection, wanted)

    found = await database.read(work)
    return [
        {user_id: found[service, user_id] for user_id in user_ids if (service, user_id) in found}
        for service, user_ids in asked
    ]


async def people(
    connection: AsyncConnection, wanted: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], Person]:
    """Return those who are there, by service and the id that was asked for."""
    rows = joined(encode({"service": service, "asked": asked}) for service, asked in wanted)
    found = await connection.execute(_PEOPLE, {"rows": rows})
    return {(row[0], row[-1]): to_person(row) for row in found}
