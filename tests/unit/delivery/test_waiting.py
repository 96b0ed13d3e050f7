"""Waiting for a database that is away."""

import asyncio

from notifier.delivery.waiting import while_store_is_away
from notifier.errors import StoreUnavailableError


async def test_what_was_not_answered_is_asked_once_more_at_a_stop() -> None:
    answers = iter(("claimed",))
    asked = asyncio.Event()
    closing = asyncio.Event()
    closing.set()

    async def call() -> str:
        if not asked.is_set():
            asked.set()
            raise StoreUnavailableError("no answer")
        return next(answers)

    assert await while_store_is_away(call, probe_s=1, closing=closing) == "claimed"
