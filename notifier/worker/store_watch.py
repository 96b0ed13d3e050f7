"""Letting go of messages while the database is away: it may be away from this worker alone."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from notifier.evidence import Outage
from notifier.worker.consumers import Consumers, Hold

log = structlog.get_logger(__name__)


class StoreWatch:
    """Has consumers let go once nothing of the store has worked for `patience_s`.

    They resume when it works again. `look` returns the outage of the store, if there is one. Each
    time costs what was held a delivery, and the broker allows only so many: patience keeps short
    outages from it, however many there are.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[Outage | None]],
        consumers: Consumers,
        *,
        patience_s: float = 10,
        look_every_s: float = 1,
    ) -> None:
        self._look = look
        self._consumers = consumers
        self._patience_s = patience_s
        self._look_every_s = look_every_s

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            outage = await self._lasting_outage()
            log.warning("worker.let_go", reason=outage.reason)
            await self._consumers.let_go(Hold.OUTAGE)
            await self._its_end()
            await self._consumers.resume(Hold.OUTAGE)
            log.info("worker.resumed")

    async def _lasting_outage(self) -> Outage:
        while True:
            outage = await self._look()
            if outage is not None and outage.lasted_s >= self._patience_s:
                return outage
            await asyncio.sleep(self._look_every_s)

    async def _its_end(self) -> None:
        while True:
            if await self._look() is None:
                return
            await asyncio.sleep(self._look_every_s)
