"""Ending the leases of workers that ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from notifier.delivery.ports import Upkeep
from notifier.errors import StoreUnavailableError
from notifier.worker.supervisor import Death

log = structlog.get_logger(__name__)

AGAIN_S = 3.0
"""When what a dead worker had asked the database for is done, or given up by the server."""
TRIES = 20
"""How often to try again while the database is away; by then the leases end by themselves."""


class LeaseEnder:
    """Ends what a dead worker held at once, and once more a little later.

    A claim that was on its way when its worker died may wait for a lock, and commit after that.
    """

    def __init__(
        self,
        upkeep: Upkeep,
        nudge: Callable[[], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._upkeep = upkeep
        self._nudge = nudge
        self._sleep = sleep
        self._later: set[asyncio.Task[None]] = set()

    async def end(self, death: Death) -> None:
        """End the leases of this worker; `nudge` is called once they are."""
        is_done = await self._end(death.child)
        if is_done and death.is_clean:
            return
        later = asyncio.create_task(self._end_later(death.child))
        self._later.add(later)
        later.add_done_callback(self._later.discard)

    async def settled(self) -> None:
        """Wait until the second look was had at every death, or the database is away for it."""
        if self._later:
            _, late = await asyncio.wait(set(self._later), timeout=2 * AGAIN_S)
            for task in late:
                task.cancel()

    async def _end_later(self, worker: str) -> None:
        for _ in range(TRIES):
            await self._sleep(AGAIN_S)
            if await self._end(worker):
                return

    async def _end(self, worker: str) -> bool:
        try:
            await self._upkeep.end_leases(worker)
        except StoreUnavailableError:
            log.warning("leases.left_to_time", child=worker)
            return False
        self._nudge()
        return True


@asynccontextmanager
async def ending_leases(upkeep: Upkeep, nudge: Callable[[], None]) -> AsyncIterator[LeaseEnder]:
    """Return what ends leases; its last work is done at the end of the block."""
    ender = LeaseEnder(upkeep, nudge)
    try:
        yield ender
    finally:
        await ender.settled()
