"""Waiting for a database that is away, and for what ends at last."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from notifier.errors import StoreUnavailableError

Answer = TypeVar("Answer")


async def ended_within(task: asyncio.Task[None], within_s: float) -> bool:
    """Wait until it has ended, and end it after that time; returns whether it did by itself."""
    _, late = await asyncio.wait({task}, timeout=within_s)
    for each in late:
        each.cancel()
        await asyncio.wait({each})
    return not late


def is_being_cancelled() -> bool:
    """Whether the current task is being cancelled from outside."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def while_store_is_away(
    call: Callable[[], Awaitable[Answer]],
    *,
    probe_s: float,
    patience_s: float = inf,
    closing: asyncio.Event | None = None,
) -> Answer:
    """Make `call`, again and again while the store is away, until patience ends or `closing`.

    At least once more: what was not answered may have been carried out.
    """
    try:
        return await call()
    except StoreUnavailableError:
        return await _retrying(patience_s, probe_s, closing or asyncio.Event())(call)


def _retrying(patience_s: float, probe_s: float, ended: asyncio.Event) -> AsyncRetrying:
    is_over = stop_after_delay(patience_s)

    async def pause(delay_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await ended.wait()

    return AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailableError),
        wait=wait_random_exponential(multiplier=0.5, max=probe_s),
        stop=lambda state: ended.is_set() or is_over(state),
        sleep=pause,
        reraise=True,
    )
