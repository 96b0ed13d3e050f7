"""A duty: something that is done again and again beside what clients ask for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Duty:
    """Something the relay does every `every_s`; `run` says whether there is more at once."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[bool]]
    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever knows that there is something to do."""


class Purgeable(Protocol):
    """What keeps things that nobody asks for any more after a while."""

    async def purge(self) -> int:
        """Forget those; returns how many."""


def purging(kept: Purgeable, what: str, *, every_s: float = 600) -> Duty:
    """Return the duty to forget what is too old."""

    async def run() -> bool:
        await kept.purge()
        return False

    return Duty(f"purge.{what}", every_s, run)
