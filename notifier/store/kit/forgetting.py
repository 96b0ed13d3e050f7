"""Forgetting what is too old."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.kit.database import Database


async def forget_all(
    database: Database, forget_some: Callable[[AsyncConnection], Awaitable[int]]
) -> int:
    """Forget so many at a time, each in a transaction of its own, until none is left.

    `forget_some` returns how many it were. Returns how many all were.
    """
    gone = 0
    while some := await database.write(forget_some):
        gone += some
    return gone
