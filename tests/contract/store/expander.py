"""A process that expands a broadcast to 2,000 until all is done, and says when a chunk begins.

usage: python -m tests.contract.store.expander DATABASE_URL
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from notifier.audience.topic import Member
from notifier.broadcasts.broadcast import Chunk, Expansion, StoredBroadcast, Turn, Whom
from notifier.broadcasts.expanding import BroadcastDuties
from notifier.broadcasts.pacing import ExpansionPace
from tests.contract.store.stores import open_stores
from tests.contract.store.test_expanding import Everybody, Glance

FEW = 2_000
_PACE = ExpansionPace(chunk=100, most_waiting=100_000, hold_s=0.0)


class Few(Everybody):
    """The first of them."""

    async def members(
        self, service: str, whom: Whom, *, limit: int, after: str
    ) -> Sequence[Member]:
        found = await super().members(service, whom, limit=limit, after=after)
        return [each for each in found if each.user_id < f"u{FEW:06}"]


@dataclass(frozen=True, slots=True)
class _Telling:
    expansion: Expansion

    async def take(self, *, hold_s: float, most_waiting: int) -> Turn | None:
        return await self.expansion.take(hold_s=hold_s, most_waiting=most_waiting)

    async def put_off(self, broadcast: StoredBroadcast, delay_s: float) -> None:
        await self.expansion.put_off(broadcast, delay_s)

    async def record(self, chunk: Chunk) -> StoredBroadcast | None:
        print("chunk", flush=True)  # noqa: T201  whoever started it reads that
        return await self.expansion.record(chunk)

    async def cancel(self, limit: int) -> int:
        return await self.expansion.cancel(limit)


async def _expand(url: str) -> None:
    async with open_stores(url) as stores:
        duties = BroadcastDuties(_Telling(stores.expansion), Few(), Glance(), _PACE)
        while await duties.expand():
            pass


if __name__ == "__main__":
    asyncio.run(_expand(sys.argv[1]))
