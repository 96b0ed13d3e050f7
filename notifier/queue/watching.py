"""Watching whether the broker's policies stay in effect: no error would ever tell."""

import asyncio

import structlog

from notifier.queue.admin import policies_lacking
from notifier.queue.management import ManagementError

log = structlog.get_logger(__name__)


class PolicyWatch:
    """Asks the management API every `every_s` seconds, and logs what is not in effect.

    `is_ok` is None while nobody could look: the management API is away, or refuses the user.
    """

    def __init__(self, amqp_url: str, management_url: str | None, *, every_s: float = 60) -> None:
        self._urls = (amqp_url, management_url)
        self._every_s = every_s
        self._is_blind = False
        self.is_ok: bool | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Look once. Blindness is logged when it begins, a lack each time."""
        try:
            lacking = await asyncio.to_thread(policies_lacking, *self._urls)
        except ManagementError as error:
            if not self._is_blind:
                log.warning("topology.policies_not_seen", reason=str(error))
            self._is_blind, self.is_ok = True, None
            return
        for item in lacking:
            log.error("topology.policy_lacking", policy=item.name, detail=item.detail)
        if not lacking and self.is_ok is False:
            log.info("topology.policies_in_effect")
        self._is_blind, self.is_ok = False, not lacking
