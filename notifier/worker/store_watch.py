"""Letting go of messages while the database is away: it may be away from this worker alone."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from notifier.errors import StoreUnavailableError
from notifier.worker.consumers import Consumers

log = structlog.get_logger(__name__)


class StoreWatch:
    """Has consumers let go once the store was away for `patience_s`, and resume when it is back.

    `prove` raises while the store takes no writes. Each time costs what was held a delivery, and
    the broker allows only so many: patience keeps short outages from it.
    """

    def __init__(
        self,
        prove: Callable[[], Awaitable[None]],
        consumers: Consumers,
        *,
        patience_s: float = 10,
        look_every_s: float = 1,
    ) -> None:
        self._prove = prove
        self._consumers = consumers
        self._patience_s = patience_s
        self._look_every_s = look_every_s

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            reason = await self._turn(to_away=True)
            if await self._is_back_in_time():
                continue
            log.warning("worker.let_go", reason=reason)
            await self._consumers.let_go()
            await self._turn(to_away=False)
            await self._consumers.resume()
            log.info("worker.resumed")

    async def _is_back_in_time(self) -> bool:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._turn(to_away=False)
        except TimeoutError:
            return False
        return True

    async def _turn(self, *, to_away: bool) -> str | None:
        """Wait until the store is away, or back; returns its problem."""
        while True:
            problem = await self._problem()
            if (problem is not None) is to_away:
                return problem
            await asyncio.sleep(self._look_every_s)

    async def _problem(self) -> str | None:
        try:
            await self._prove()
        except StoreUnavailableError as error:
            return str(error)
        return None
