"""Waiting with a deadline that costs nothing where nobody has to wait."""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def within(seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns, which has to be done within so many seconds once it waits.

    Raises:
        TimeoutError: it took longer, and was cancelled.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    async with asyncio.timeout(seconds):
        return await _rest(work, waits_for)


@coroutine
def _rest(work: Coroutine[Any, Any, Result], waits_for: Any) -> Generator[Any, Any, Result]:
    """Go on with what was begun, and waits for something."""
    while True:
        try:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - it is its to handle, cancelled as well
                waits_for = work.throw(error)
            else:
                waits_for = work.send(None)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
