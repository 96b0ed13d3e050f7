"""Waiting for what tells nobody when it happens."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(
    holds: Callable[[], Awaitable[bool]], *, timeout_s: float, every_s: float = 0.1
) -> bool:
    """Ask until it holds; False if it did not within `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not await holds():
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(every_s)
    return True


async def require(
    holds: Callable[[], Awaitable[bool]], *, timeout_s: float, every_s: float = 0.1, what: str
) -> None:
    """Ask until it holds; raises TimeoutError if it did not within `timeout_s`."""
    if not await until(holds, timeout_s=timeout_s, every_s=every_s):
        raise TimeoutError(f"{what}: not within {timeout_s:g} s")
