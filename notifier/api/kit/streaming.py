"""Answers that go on: server-sent events, and the places that they take."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol, cast

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

STOP_GRACE_S = 2
"""How long a stream may take to end by itself once the server stops."""


class Stopper(Protocol):
    """What is told that the server stops."""

    def set(self) -> None:
        """The server stops: end soon."""


class Stream(EventSourceResponse):
    """A stream that gives back its place, however it ends; it is `stopped` with the server."""

    def __init__(
        self,
        events: AsyncIterator[ServerSentEvent],
        *,
        place: Callable[[], None],
        stopped: Stopper,
        keep_alive_s: float,
    ) -> None:
        super().__init__(
            events,
            ping=keep_alive_s,
            ping_message_factory=lambda: ServerSentEvent(comment="keep-alive"),
            send_timeout=keep_alive_s * 2,
            shutdown_event=cast("anyio.Event", stopped),
            shutdown_grace_period=STOP_GRACE_S,
        )
        self._give_back = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()


async def is_set(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for `event`, so long at most; whether it is set."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
