"""How often what became of events, whoever counts at the same time."""

import asyncio

from notifier.events.counts import Counted, Ending, Refusal, Tally
from notifier.events.event import Outcome
from tests.contract.store.stores import Stores


async def test_counts_of_all_processes_add_up(stores: Stores) -> None:
    tallies = [Tally(stores.event_counts) for _ in range(4)]
    for tally in tallies:
        tally.count(Refusal.FAILED)
        tally.count(Outcome.FAILED, 2)
        tally.count(Ending.FAILED, 3)

    await asyncio.gather(*(tally.write() for tally in tallies))
    await tallies[0].write()

    assert await stores.event_counts.all() == {
        Counted("refused", "failed"): 4,
        Counted("matches", "failed"): 8,
        Counted("digests", "failed"): 12,
    }
