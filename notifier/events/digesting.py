"""Digests that are due: closed, made notifications, and sent once.

Any number may do so at once, and may be killed at any point: what is closed takes no more items,
and what comes of it is accepted with the note that it was, under ids that never change.
"""

import asyncio
from collections.abc import Sequence

import structlog

from notifier.duty import Duty
from notifier.errors import NotifierError
from notifier.events.counts import Ending, Tally
from notifier.events.digest import Digest, Digests, Finishing, Settling, Unfinished

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_HOLD_S = 30.0


class DigestDuty:
    """Closes digests, and accepts what comes of them."""

    def __init__(
        self, digests: Digests, finishing: Finishing, tally: Tally, *, every_s: float = 1.0
    ) -> None:
        self._digests = digests
        self._finishing = finishing
        self._tally = tally
        self._every_s = every_s

    def all(self) -> Sequence[Duty]:
        """Return the duty, for a relay."""
        return (Duty("digests.close", self._every_s, self.close),)

    async def close(self) -> bool:
        """Close some that are due; whether there may be more."""
        taken = await self._digests.take(limit=_AT_ONCE, hold_s=_HOLD_S)
        if not taken:
            return False
        found = await asyncio.gather(*map(self._finished, taken))
        finished = [each for each in found if each]
        for each in await self._digests.settle(finished):
            self._tally.count(each.ending)
            if each.ending is Ending.FAILED:
                log.warning("digest.not_sent", id=str(each.digest.id), rule=each.digest.rule)
        return len(taken) == _AT_ONCE

    async def _finished(self, digest: Digest) -> Settling | None:
        """Return what comes of a digest; None if that could not be found out."""
        if digest.count == 0:
            return Settling(digest, reason="all that was in it was taken back")
        try:
            made = await self._finishing.finished(digest)
        except NotifierError:
            raise
        except Exception:  # it must not keep others from being sent
            log.exception("digest.crashed", id=str(digest.id), rule=digest.rule)
            return None
        if isinstance(made, Unfinished):
            return Settling(digest, reason=made.reason)
        return Settling(digest, made)
