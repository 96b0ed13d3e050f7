import asyncio
from collections.abc import Mapping
from typing import cast

import asyncpg
import pytest

from notifier.delivery.ports import Claimed, RescuePolicy, Upkeep
from notifier.errors import StoreBusyError, StoreUnavailableError
from notifier.notification.model import Channel, OnUnknown, Status
from notifier.worker.leases import LeaseEnder
from notifier.worker.supervisor import Death
from tests.contract.worker.bench import Bench, open_bench, within

WORKER = "host:1:0:abc"
KILLED = Death(WORKER, -9)
STOPPED = Death(WORKER, 0)
POLICIES: Mapping[Channel, RescuePolicy] = dict.fromkeys(
    Channel, RescuePolicy(max_attempts=8, on_unknown=OnUnknown.RESEND)
)


class Pause:
    """A sleep that lasts until the test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self._may_end = asyncio.Semaphore(0)

    async def __call__(self, _seconds: float) -> None:
        self.begun.release()
        await self._may_end.acquire()

    def end(self) -> None:
        self._may_end.release()


class Desk:
    """Leases over a real store, and how often the relay was nudged."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.nudges = 0
        self.pause = Pause()
        store = cast(Upkeep, bench.store)
        self.leases = LeaseEnder(store, self._nudge, sleep=self.pause)

    def _nudge(self) -> None:
        self.nudges += 1

    async def claim(self) -> Claimed:
        claimed = await self.bench.stores.claim(await self.bench.accept(), WORKER)
        assert claimed is not None
        return claimed

    async def rescue(self) -> int:
        return await self.bench.stores.upkeep.rescue(10, POLICIES)


@pytest.fixture
async def desk(bench: Bench) -> Desk:
    return Desk(bench)


async def test_what_a_dead_worker_held_is_taken_from_it_at_once(desk: Desk) -> None:
    await desk.claim()

    await desk.leases.end(KILLED)

    assert await desk.rescue() == 1
    assert desk.nudges == 1


async def test_what_a_worker_left_at_its_stop_is_taken_from_it_too(desk: Desk) -> None:
    await desk.claim()

    await desk.leases.end(STOPPED)
    await within(desk.leases.settled())

    assert await desk.rescue() == 1


async def test_a_claim_that_commits_after_its_workers_death_is_found_a_little_later(
    desk: Desk,
) -> None:
    await desk.leases.end(KILLED)
    await within(desk.pause.begun.acquire())
    claimed = await desk.claim()
    assert await desk.rescue() == 0

    desk.pause.end()
    await within(desk.leases.settled())

    assert await desk.rescue() == 1
    assert desk.nudges == 2
    assert await desk.bench.stores.status(claimed.id) is Status.PENDING


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), StoreBusyError("held")])
async def test_leases_are_ended_once_the_database_is_back(desk: Desk, error: Exception) -> None:
    await desk.claim()
    desk.bench.store.failures["end_leases"].extend([error, error])

    await desk.leases.end(STOPPED)
    for _ in range(2):
        await within(desk.pause.begun.acquire())
        desk.pause.end()
    await within(desk.leases.settled())

    assert await desk.rescue() == 1
    assert desk.nudges == 1


async def test_a_claim_that_waits_for_a_row_is_found_once_it_has_it(schema_url: str) -> None:
    async with open_bench(schema_url) as bench:
        desk = Desk(bench)
        envelope = await bench.accept()
        other = await asyncpg.connect(schema_url.replace("+asyncpg", ""))
        try:
            async with other.transaction():
                await other.execute("SELECT FROM notifications FOR UPDATE")
                claiming = asyncio.create_task(bench.stores.claim(envelope, WORKER))
                await within(until_locks_wait(other))
                await desk.leases.end(KILLED)
        finally:
            await other.close()
        assert await within(claiming) is not None
        assert await desk.rescue() == 0

        desk.pause.end()
        await within(desk.leases.settled())

        assert await desk.rescue() == 1


async def until_locks_wait(connection: asyncpg.Connection) -> None:
    while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        pass
