"""How often hooks were called, whoever counts at the same time."""

import asyncio

from notifier.hooks.counts import Calls, Result
from notifier.hooks.moments import Moment
from tests.contract.store.stores import Stores

DONE = Calls("audit", Moment.FINAL, Result.DONE)
FAILED = Calls("audit", Moment.FINAL, Result.FAILED)


async def test_counts_of_all_processes_add_up(stores: Stores) -> None:
    counts = stores.hook_counts

    await asyncio.gather(*(counts.add({FAILED: 1, DONE: 2}) for _ in range(4)))
    await counts.add({DONE: 10})

    assert await counts.all() == {DONE: 18, FAILED: 4}
