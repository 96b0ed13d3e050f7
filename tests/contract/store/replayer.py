"""A process that works replays off until none is running, and says when a step begins.

usage: python -m tests.contract.store.replayer DATABASE_URL
"""

import asyncio
import sys

from notifier.replays.replay import State
from tests.contract.store.stores import open_stores

CHUNK = 100
_LOOK_EVERY_S = 0.02


async def _work_off(url: str) -> None:
    async with open_stores(url) as stores:
        while (await stores.replays.under_way())[State.RUNNING]:
            print("step", flush=True)  # noqa: T201  whoever started it reads that
            if not await stores.replaying.step(CHUNK):
                await asyncio.sleep(_LOOK_EVERY_S)


if __name__ == "__main__":
    asyncio.run(_work_off(sys.argv[1]))
