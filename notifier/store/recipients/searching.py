"""Looking for people by what is known of them: a page costs no more than a bound.

What is rare, and has an index, is found at once. Anything else is looked for among so many people
at a time: a page may then end before it is full, and says where to go on.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from notifier.audience.person import PeopleFilter, PeoplePage
from notifier.audience.recipient import compared_forms
from notifier.notification.model import Channel, JsonValue
from notifier.store.kit.json import IncludesMember
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import Explained, given_rows, is_key
from notifier.store.recipients.reading import ADDRESSES, addresses_of
from notifier.store.recipients.rows import to_person
from notifier.store.recipients.tables import recipient_addresses, recipients

Columns: TypeAlias = ReadOnlyColumnCollection[str, Any]
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
    few = await _few(connection, service, filter)
    query = _looking(service, filter, after) if few is None else _of_few(few, filter, after)
    found = [to_person(row) for row in await connection.execute(query.limit(limit + 1))]
    if len(found) > limit:
        last = found[limit - 1]
        return PeoplePage(found[:limit], goes_on_after=(last.service, last.user_id))
    is_all = few is not None or filter == _EVERYBODY
    return PeoplePage(found, None if is_all else await _cut(connection, service, after))


_EVERYBODY = PeopleFilter()


def _looking(service: str | None, filter: PeopleFilter, after: Place | None) -> Select[Any]:
    everybody = select(recipients).where(*_within(_r, service, after))
    everybody = everybody.order_by(_r.service, _r.user_id)
    if filter == _EVERYBODY:
        return everybody.add_columns(ADDRESSES)
    # In the very order of the index it stops as soon as there are enough, and goes no further
    # than this whatever the planner thinks.
    rows = everybody.limit(LOOKED_AT).subquery("looked_at")
    fitting = select(rows, addresses_of(rows)).where(*matching(filter, rows))
    return fitting.order_by(rows.c.service, rows.c.user_id)


def _of_few(few: Sequence[Place], filter: PeopleFilter, after: Place | None) -> Select[Any]:
    """Return what reads these by their keys.

    No index has what is compared and ordered by: going through everybody in its order would do.
    """
    rows = joined(encode({"service": each[0], "user_id": each[1]}) for each in few)
    place = _r.service.concat(""), _r.user_id.concat("")
    behind = [] if after is None else [tuple_(*place) > tuple_(*map(literal, after))]
    named = _NAMED.params(rows=rows).where(*behind, *matching(filter, recipients))
    return named.order_by(*place)


async def _cut(
    connection: AsyncConnection, service: str | None, after: Place | None
) -> Place | None:
    """Return the last place that is looked at, where that is not all."""
    places = select(_r.service, _r.user_id).where(*_within(_r, service, after))
    last = places.order_by(_r.service, _r.user_id).offset(LOOKED_AT - 1).limit(1)
    row = (await connection.execute(last)).one_or_none()
    return row and (row[0], row[1])


def _within(of: Columns, service: str | None, after: Place | None) -> list[ColumnElement[bool]]:
    conditions = [] if service is None else [of.service == service]
    if after is not None:
        conditions.append(tuple_(of.service, of.user_id) > tuple_(*map(literal, after)))
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
        has = (_has_attribute(_r, *each) for each in filter.attributes.items())
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
    query = select(func.count()).select_from(recipients)
    query = query.where(_r.service == service, *matching(filter, recipients))
    return (await connection.scalars(query)).one()


def matching(filter: PeopleFilter, of: FromClause) -> list[ColumnElement[bool]]:
    """Return the conditions on each row of `recipients`, or of a part of these."""
    conditions = [_has_attribute(of.c, name, text) for name, text in filter.attributes.items()]
    if filter.address is not None or filter.channel is not None:
        conditions.append(_has_address(of, filter.address, filter.channel))
    return conditions


def _has_attribute(of: Columns, name: str, text: str) -> ColumnElement[bool]:
    """Whether one says this: as a text, or as a number or boolean that is written so."""
    values: list[JsonValue] = [text, *_scalar(text)]
    return or_(
        *(
            IncludesMember(of.attributes, literal(json.dumps({name: value}), Text))
            for value in values
        )
    )


def _scalar(text: str) -> Iterator[JsonValue]:
    if _NUMBER.fullmatch(text) or text in _BOOLEANS:
        yield json.loads(text)


def _has_address(
    of: FromClause, address: str | None, channel: Channel | None
) -> ColumnElement[bool]:
    query = select(_a.user_id).where(_a.service == of.c.service, _a.user_id == of.c.user_id)
    if address is not None:
        query = query.where(_a.address.in_(sorted(compared_forms(address))))
    if channel is not None:
        query = query.where(_a.channel == channel)
    # Looked up for each row: PostgreSQL would join EXISTS with everybody's addresses.
    return query.correlate(of).limit(1).scalar_subquery().is_not(None)
