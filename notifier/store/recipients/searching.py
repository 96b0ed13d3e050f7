"""Looking for people by what is known of them."""

import json
import re
from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, Text, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.person import PeopleFilter, Person
from notifier.audience.recipient import compared_forms
from notifier.notification.model import Channel, JsonValue
from notifier.store.kit.json import IncludesMember
from notifier.store.recipients.reading import ADDRESSES
from notifier.store.recipients.rows import to_person
from notifier.store.recipients.tables import recipient_addresses, recipients

_r, _a = recipients.c, recipient_addresses.c
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,15})?", re.ASCII)
_BOOLEANS: Final = ("true", "false")


async def page(
    connection: AsyncConnection,
    *,
    service: str | None,
    filter: PeopleFilter,
    limit: int,
    after: tuple[str, str] | None,
) -> list[Person]:
    """Return people by service and id, those after this place."""
    query = select(recipients, ADDRESSES).where(*matching(filter))
    if service is not None:
        query = query.where(_r.service == service)
    if after is not None:
        query = query.where(tuple_(_r.service, _r.user_id) > tuple_(*map(literal, after)))
    query = query.order_by(_r.service, _r.user_id).limit(limit)
    return [to_person(row) for row in await connection.execute(query)]


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
