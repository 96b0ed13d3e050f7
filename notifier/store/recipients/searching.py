"""Looking for people by what is known of them: a page costs no more than a bound.

What is rare, and has an index, is found at once. Anything else is looked for among so many people
at a time: a page may then end before it is full, and says where to go on.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Select, Text, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.person import PeopleFilter, PeoplePage, Person
from notifier.audience.recipient import compared_forms
from notifier.notification.model import Channel, JsonValue
from notifier.store.kit.json import IncludesMember
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import Explained, given_rows, is_key
from notifier.store.recipients.reading import ADDRESSES
from notifier.store.recipients.rows import to_person
from notifier.store.recipients.tables import recipient_addresses, recipients

Place: TypeAlias = tuple[str, str]
"""Where somebody stands: service and user id."""

LOOKED_AT: Final = 10_000
_FEW: Final = 1_000
_FAR_OFF: Final = 50
"""How many times too large an estimate may be, and is looked after nevertheless."""

_r, _a = recipients.c, recipient_addresses.c
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,15})?", re.ASCII)
_BOOLEANS: Final = ("true", "false")
_given = given_rows("rows", service=Text, user_id=Text)
_NAMED: Select[Any] = select(recipients, ADDRESSES).join_from(
    _given,
    recipients,
    and_(is_key(_r.user_id, _given.c.user_id), _r.service == _given.c.service),
)


async def page(
    connection: AsyncConnection,
    *,
    service: str | None,
    filter: PeopleFilter,
    limit: int,
    after: Place | None,
) -> PeoplePage:
    """Return people by service and id, those after this place."""
    query: Select[Any] = select(recipients, ADDRESSES)
    cut: Place | None = None
    if (few := await _few(connection, service, filter)) is not None:
        rows = joined(encode({"service": each[0], "user_id": each[1]}) for each in few)
        query = _NAMED.params(rows=rows)
    elif filter != _EVERYBODY:
        cut = await _cut(connection, service, after)
    query = query.where(*_within(service, after, cut), *matching(filter))
    query = query.order_by(_r.service, _r.user_id).limit(limit + 1)
    found = [to_person(row) for row in await connection.execute(query)]
    if len(found) > limit:
        return PeoplePage(found[:limit], goes_on_after=_place(found[limit - 1]))
    return PeoplePage(found, goes_on_after=cut)


_EVERYBODY = PeopleFilter()


def _place(person: Person) -> Place:
    return person.service, person.user_id


async def _cut(
    connection: AsyncConnection, service: str | None, after: Place | None
) -> Place | None:
    """Return the last place that is looked at, where that is not all."""
    places = select(_r.service, _r.user_id).where(*_within(service, after, None))
    last = places.order_by(_r.service, _r.user_id).offset(LOOKED_AT - 1).limit(1)
    row = (await connection.execute(last)).one_or_none()
    return row and (row[0], row[1])


def _within(
    service: str | None, after: Place | None, until: Place | None
) -> list[ColumnElement[bool]]:
    place = tuple_(_r.service, _r.user_id)
    conditions = [] if service is None else [_r.service == service]
    if after is not None:
        conditions.append(place > tuple_(*map(literal, after)))
    if until is not None:
        conditions.append(place <= tuple_(*map(literal, until)))
    return conditions


async def _few(
    connection: AsyncConnection, service: str | None, filter: PeopleFilter
) -> Sequence[Place] | None:
    """Return the places that an index finds directly, if these are few.

    None: they are many, or there is no such index.
    """
    places = _direct(connection.dialect.name, service, filter)
    if places is None or await _is_far_more(connection, places):
        return None
    # Whatever limit there is inside, PostgreSQL might take another index for it.
    found = places.cte("found").prefix_with("MATERIALIZED")
    rows = (await connection.execute(select(found).limit(_FEW + 1))).all()
    return [(row[0], row[1]) for row in rows] if len(rows) <= _FEW else None


def _direct(dialect: str, service: str | None, filter: PeopleFilter) -> Select[Any] | None:
    if filter.address is not None and service is not None:
        channels = [filter.channel] if filter.channel else list(Channel)
        return (
            select(_a.service, _a.user_id)
            .where(_a.service == service, _a.channel.in_(channels))
            .where(_a.address.in_(sorted(compared_forms(filter.address))))
            .distinct()
        )
    if filter.attributes and dialect == "postgresql":
        of_service = [] if service is None else [_r.service == service]
        has = (_has_attribute(*each) for each in filter.attributes.items())
        return select(_r.service, _r.user_id).where(*of_service, *has)
    return None


async def _is_far_more(connection: AsyncConnection, places: Select[Any]) -> bool:
    """Whether these are so many, by the planner's estimate, that they are not even looked for.

    PostgreSQL's index on attributes has all of them read before the first is known.
    """
    if connection.dialect.name != "postgresql":
        return False
    (plan,) = (await connection.execute(Explained(places))).scalar_one()
    return bool(plan["Plan"]["Plan Rows"] > _FEW * _FAR_OFF)


async def count(connection: AsyncConnection, *, service: str, filter: PeopleFilter) -> int:
    """Return how many people of a service there are."""
    query = select(func.count()).where(_r.service == service, *matching(filter))
    return (await connection.scalars(query)).one()


def matching(filter: PeopleFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on each row of `recipients`."""
    conditions = [_has_attribute(name, text) for name, text in filter.attributes.items()]
    if filter.address is not None or filter.channel is not None:
        conditions.append(_has_address(filter.address, filter.channel))
    return conditions


def _has_attribute(name: str, text: str) -> ColumnElement[bool]:
    """Whether one says this: as a text, or as a number or boolean that is written so."""
    values: list[JsonValue] = [text, *_scalar(text)]
    return or_(
        *(
            IncludesMember(_r.attributes, literal(json.dumps({name: value}), Text))
            for value in values
        )
    )


def _scalar(text: str) -> Iterator[JsonValue]:
    if _NUMBER.fullmatch(text) or text in _BOOLEANS:
        yield json.loads(text)


def _has_address(address: str | None, channel: Channel | None) -> ColumnElement[bool]:
    query = select(_a.user_id).where(_a.service == _r.service, _a.user_id == _r.user_id)
    if address is not None:
        query = query.where(_a.address.in_(sorted(compared_forms(address))))
    if channel is not None:
        query = query.where(_a.channel == channel)
    return query.exists()
