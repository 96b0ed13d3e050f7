"""Reaching one of several servers, each of which may refuse, or hang."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from notifier.resolving import addresses_of

Reached = TypeVar("Reached")
Attempt: TypeAlias = Callable[[], Coroutine[Any, Any, Reached]]


async def first_reached(
    attempts: Sequence[Attempt[Reached]], *, patience_s: float, drop: Callable[[Reached], object]
) -> Reached:
    """Return what the first of these attempts brings that succeeds.

    They begin in their order: the next one once another failed, or `patience_s` after the one
    before, which goes on meanwhile. What a later one brings too is dropped.

    Raises:
        Exception: they failed; what a server answered rather than that one did not (OSError).
    """
    waiting = deque(attempts)
    begun: list[asyncio.Task[Reached]] = []
    reached: asyncio.Task[Reached] | None = None
    try:
        while reached is None and (waiting or not all(task.done() for task in begun)):
            if waiting:
                begun.append(asyncio.create_task(waiting.popleft()()))
            reached = await _next_success(begun, within_s=patience_s if waiting else None)
        return (reached or min(begun, key=_is_silent)).result()
    finally:
        for task in begun:
            if task is not reached:
                task.cancel()
                task.add_done_callback(partial(_drop, drop))


async def _next_success(
    begun: Sequence[asyncio.Task[Reached]], *, within_s: float | None
) -> asyncio.Task[Reached] | None:
    """Return one that succeeded, once any ended or the time is over."""
    running = [task for task in begun if not task.done()]
    await asyncio.wait(running, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    return next((task for task in begun if task.done() and task.exception() is None), None)


def _is_silent(failed: asyncio.Task[Any]) -> bool:
    error = failed.exception()
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError)


async def places_of(host: str | None) -> Sequence[str]:
    """Return the addresses of a host's name, none of a socket or of what the driver looks for.

    Raises:
        OSError: nobody knows the name.
    """
    is_named = host and not host.startswith(("/", "@"))
    return await addresses_of(host) if host and is_named else []


class Towards:
    """The running loop, but that a host's connections go to one of its addresses.

    For a driver that takes a name only, which a certificate has to have.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, **options: Any
    ) -> Any:
        if options.get("ssl"):
            options.setdefault("server_hostname", host)
        return await self._loop.create_connection(factory, self._address, port, **options)


def _drop(drop: Callable[[Reached], object], task: asyncio.Task[Reached]) -> None:
    if not task.cancelled() and task.exception() is None:
        drop(task.result())
