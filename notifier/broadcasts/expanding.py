"""Expanding broadcasts: their members become notifications, a chunk at a time.

Any number may do so at once, and may be killed at any point: what became of a chunk is recorded
with the place where it ends, and by one of them only.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from notifier.audience.topic import Member
from notifier.broadcasts.broadcast import (
    Broadcast,
    Chunk,
    Expansion,
    StoredBroadcast,
    Turn,
    Whom,
)
from notifier.broadcasts.fates import Fate, Looked, counted, submissions
from notifier.broadcasts.pacing import Allowance, ExpansionPace, allowance, next_chunk
from notifier.duty import Duty

log = structlog.get_logger(__name__)

_CANCEL_EVERY_S = 2.0
_TOPIC_GONE = "its topic was removed before all of its members were looked at"


class Members(Protocol):
    """Knows whom a broadcast is for."""

    async def members(
        self, service: str, whom: Whom, *, limit: int, after: str
    ) -> Sequence[Member]:
        """Return those behind the user id `after`, those to exclude among them."""

    async def is_there(self, service: str, whom: Whom) -> bool:
        """Whether what it is for is there still, or a topic that was removed."""


class Looking(Protocol):
    """Finds out what a broadcast comes to."""

    async def look(self, broadcast: Broadcast, members: Sequence[Member]) -> Sequence[Looked]:
        """Return what it comes to for each member, in their order."""


class BroadcastDuties:
    """Makes notifications of broadcasts, and takes back those of cancelled ones."""

    def __init__(
        self,
        expansion: Expansion,
        roll: Members,
        onlooker: Looking,
        pace: ExpansionPace,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._expansion = expansion
        self._roll = roll
        self._onlooker = onlooker
        self._pace = pace
        self._monotonic_s = monotonic_s
        self._size = pace.first_chunk

    def all(self) -> Sequence[Duty]:
        """Return the duties, for a relay."""
        return (
            Duty("broadcasts.expand", self._pace.look_every_s, self.expand),
            Duty("broadcasts.cancel", _CANCEL_EVERY_S, self.cancel),
        )

    async def expand(self) -> bool:
        """Look at the next members of one broadcast; whether another may be up."""
        pace = self._pace
        turn = await self._expansion.take(hold_s=pace.hold_s, most_waiting=pace.most_waiting)
        if turn is None:
            return False
        allowed = allowance(turn, pace, self._size)
        if allowed.members:
            await self._expand(turn, allowed)
        else:
            await self._expansion.put_off(turn.broadcast, allowed.wait_s)
        return True

    async def cancel(self) -> bool:
        """Cancel what a cancelled broadcast has pending."""
        return await self._expansion.cancel(self._pace.chunk) > 0

    async def _expand(self, turn: Turn, allowed: Allowance) -> None:
        chunk = await self._chunk(turn, allowed)
        began_s = self._monotonic_s()
        recorded = await self._expansion.record(chunk)
        took_s = self._monotonic_s() - began_s
        if len(chunk.submissions) >= self._size // 2:
            self._size = next_chunk(self._size, took_s, self._pace.chunk)
        if recorded and recorded.finished_at:
            _tell(recorded)

    async def _chunk(self, turn: Turn, allowed: Allowance) -> Chunk:
        broadcast = turn.broadcast
        members = await self._roll.members(
            broadcast.service, broadcast.whom, limit=allowed.members, after=broadcast.cursor
        )
        looked = await self._onlooker.look(broadcast, members)
        is_last = len(members) < allowed.members
        is_cut = is_last and not await self._roll.is_there(broadcast.service, broadcast.whom)
        return Chunk(
            broadcast=broadcast,
            submissions=submissions(broadcast, looked),
            counts=counted(broadcast.counts, looked),
            cursor=members[-1].user_id if members else broadcast.cursor,
            is_last=is_last,
            fault=_TOPIC_GONE if is_cut else _fault(looked) or broadcast.fault,
            spent_s=allowed.spent_s,
        )


def _fault(looked: Sequence[Looked]) -> str | None:
    return next((each.why for each in reversed(looked) if each.fate is Fate.FAILED), None)


def _tell(broadcast: StoredBroadcast) -> None:
    counts = broadcast.counts
    log.info(
        "broadcast.done", id=str(broadcast.id), members=counts.members, accepted=counts.accepted
    )
