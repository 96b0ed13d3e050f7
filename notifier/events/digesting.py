"""Digests that are due: closed, made notifications, and sent once.

Any number may do so at once, and may be killed at any point: what is closed takes no more items,
and what comes of it is accepted with the note that it was, under ids that never change. One that
nobody gets through with is tried again for some hours, ever more rarely, and is failed then.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from notifier.duty import Duty
from notifier.errors import NotifierError, StoreUnavailableError
from notifier.events.counts import Ending, Tally
from notifier.events.digest import Digest, Digests, Finishing, PutOff, Settling, Unfinished

log = structlog.get_logger(__name__)

MOST_TRIES = 12
_AT_ONCE = 100
_HOLD_S = 30.0
_LONGEST_S = 3_600.0
_GIVEN_UP = f"notifier failed at it {MOST_TRIES} times: see its log"


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
        try:
            made = await asyncio.gather(*map(self._finished, taken))
            await self._settle([each for each in made if isinstance(each, Settling)])
        except StoreUnavailableError:
            await self._spare(taken)
            raise
        await self._put_off([each for each in made if isinstance(each, PutOff)])
        return len(taken) == _AT_ONCE

    async def _finished(self, digest: Digest) -> Settling | PutOff:
        """Return what comes of a digest, or that this could not be found out."""
        if digest.count == 0:
            return Settling(digest, reason="all that was in it was taken back")
        if digest.tries > MOST_TRIES:
            return Settling(digest, reason=_GIVEN_UP)
        try:
            made = await self._finishing.finished(digest)
        except StoreUnavailableError:
            raise
        except Exception:  # it must not keep others from being sent
            log.exception("digest.crashed", **_about(digest), tries=digest.tries)
            return _later(digest)
        if isinstance(made, Unfinished):
            return Settling(digest, reason=made.reason)
        return Settling(digest, made)

    async def _settle(self, finished: Sequence[Settling]) -> None:
        try:
            settled = await self._digests.settle(finished) if finished else ()
        except StoreUnavailableError:
            raise
        except Exception:
            log.exception("digest.crashed", **_about(*(each.digest for each in finished)))
            await self._settle_each(finished)
            return
        for each in settled:
            self._tally.count(each.ending)
            if each.ending is Ending.FAILED:
                log.warning("digest.not_sent", **_about(each.digest))

    async def _settle_each(self, finished: Sequence[Settling]) -> None:
        """Whichever it was keeps no other from being sent."""
        if len(finished) > 1:
            for each in finished:
                await self._settle([each])
        else:
            await self._put_off([_later(each.digest) for each in finished])

    async def _put_off(self, them: Sequence[PutOff]) -> None:
        if them:
            await self._digests.put_off(them)

    async def _spare(self, taken: Sequence[Digest]) -> None:
        """Count nothing against them: it was the database."""
        with suppress(NotifierError):
            await self._put_off([PutOff(each, each.tries - 1, _HOLD_S) for each in taken])


def _about(*digests: Digest) -> Mapping[str, str]:
    """Say which one it is, if it is one."""
    if len(digests) > 1:
        return {"rule": "several"}
    return {"id": str(digests[0].id), "rule": digests[0].rule}


def _later(digest: Digest) -> PutOff:
    """Try it ever more rarely; given out once too often, it is failed."""
    if digest.tries == MOST_TRIES:
        return PutOff(digest, digest.tries, 0)
    again_in_s = min(_HOLD_S * 2.0 ** min(digest.tries - 1, MOST_TRIES), _LONGEST_S)
    return PutOff(digest, digest.tries, again_in_s)
