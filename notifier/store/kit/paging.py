"""Pages of a list: in its order, behind the last one seen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Row, Select, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.kit.database import Database

Found = TypeVar("Found")


def newest_first(
    query: Select[Any], key: ColumnElement[Any], *, limit: int, after: object | None
) -> Select[Any]:
    """Return a page of `query`, by a key that grows."""
    behind = query if after is None else query.where(key < after)
    return behind.order_by(key.desc()).limit(limit)


def in_order(
    query: Select[Any],
    *key: ColumnElement[Any],
    limit: int,
    after: Sequence[object] | None,
) -> Select[Any]:
    """Return a page of `query`, by all of `key`."""
    behind = query if after is None else query.where(tuple_(*key) > tuple_(*map(literal, after)))
    return behind.order_by(*key).limit(limit)


def matching(wanted: Mapping[Column[Any], object | None]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of these values; None is any."""
    return (column == value for column, value in wanted.items() if value is not None)


async def listed(
    database: Database, query: Select[Any], view: Callable[[Row[Any]], Found]
) -> Sequence[Found]:
    """Return what `view` makes of each row."""

    async def work(connection: AsyncConnection) -> Sequence[Found]:
        return [view(row) for row in await connection.execute(query)]

    return await database.search(work)
