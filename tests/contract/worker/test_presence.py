"""A worker tells how it is, and drains when it is asked to: nothing is lost, others take over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from notifier.errors import StoreUnavailableError
from notifier.notification.model import Channel, Status
from notifier.notification.queueing import Queue
from notifier.roster import Identity, Process, Role, Roster, State
from notifier.worker.consumers import Consumers, Hold
from notifier.worker.presence import Presence, note_end
from tests.contract.worker.bench import LIMIT_S, Bench, Switch
from tests.contract.worker.test_consumer import NORMAL, Sends, published

EVERY_S = 0.01
ME = Identity(name="me", role=Role.WORKER, host="host", pid=1, version="1.0", runner="runner")


class Worker:
    """Consumers that tell how they are."""

    def __init__(self, bench: Bench, identity: Identity = ME) -> None:
        self.bench = bench
        self.roster = Switch(bench.stores.roster)
        self.consumers = Consumers(
            cast(Queue, bench.queue), bench.deliverer(), {Channel.EMAIL: 1, Channel.SMS: 0}
        )
        self.presence = Presence(cast(Roster, self.roster), identity, every_s=EVERY_S)
        self._name = identity.name

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        telling = asyncio.create_task(self.presence.run())
        try:
            await self.consumers.start()
            self.presence.consumes(self.consumers)
            yield
            assert not telling.done()
        finally:
            telling.cancel()
            await self.consumers.stop(0)

    async def seen(self, condition: Callable[[Process], bool]) -> Process:
        """Return how it is once that fulfils a condition."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for each in await self.bench.stores.roster.list(limit=10):
                    if each.identity.name == self._name and condition(each):
                        return each
                await self.roster.called("beat")

    async def is_in(self, state: State) -> Process:
        return await self.seen(lambda each: each.seen.state is state)

    async def ask(self, *, drains: bool) -> None:
        await self.bench.stores.roster.drain(self._name, is_wanted=drains)


async def until_sent(bench: Bench, *envelopes: object) -> None:
    async with asyncio.timeout(LIMIT_S):
        for each in envelopes:
            while await bench.stores.status(each.id) is not Status.SENT:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await asyncio.sleep(EVERY_S)


async def test_a_worker_tells_from_its_start_on_what_it_holds(bench: Bench) -> None:
    worker, sends = Worker(bench), Sends(bench, 1)
    telling = asyncio.create_task(worker.presence.run())
    assert (await worker.is_in(State.STARTING)).seen.slots == 0
    telling.cancel()

    async with worker.working():
        envelope = await published(bench)
        await sends.arrival()
        found = (await worker.seen(lambda each: each.seen.busy == 1)).seen
        assert (found.state, found.slots, found.attempts) == (State.RUNNING, 1, [envelope.id])
        assert found.consumes == ["email.high", "email.normal", "email.bulk"]
        sends.holds[0].released.set()
        after = await worker.seen(lambda each: each.seen.busy == 0 and not each.seen.attempts)
        assert after.seen.handled == 1
        assert after.seen.memory_bytes > 1_000_000


async def test_who_drains_finishes_what_it_holds_and_leaves_the_rest_to_others(
    bench: Bench,
) -> None:
    drained, other = Worker(bench), Worker(bench)
    sends = Sends(bench, 1)
    async with drained.working():
        held = await published(bench)
        await sends.arrival()
        waiting = [await published(bench) for _ in range(3)]
        await drained.is_in(State.RUNNING)

        await drained.ask(drains=True)

        assert (await drained.is_in(State.DRAINING)).seen.attempts == [held.id]
        await other.consumers.start()
        await until_sent(bench, *waiting)
        sends.holds[0].released.set()
        await until_sent(bench, held)
        await drained.is_in(State.DRAINED)
        await other.consumers.stop(LIMIT_S)
    assert bench.adapter.messages[0].id == held.id
    assert len(bench.adapter.messages) == 4


async def test_who_is_taken_back_takes_notifications_again(bench: Bench) -> None:
    worker = Worker(bench)
    async with worker.working():
        await worker.is_in(State.RUNNING)
        await worker.ask(drains=True)
        await worker.is_in(State.DRAINED)
        envelope = await published(bench)

        await worker.ask(drains=False)

        await worker.is_in(State.RUNNING)
        await until_sent(bench, envelope)


async def test_the_end_of_an_outage_does_not_end_a_drain(bench: Bench) -> None:
    worker = Worker(bench)
    async with worker.working():
        await worker.is_in(State.RUNNING)
        await worker.ask(drains=True)
        await worker.is_in(State.DRAINED)

        await worker.consumers.let_go(Hold.OUTAGE)
        await worker.consumers.resume(Hold.OUTAGE)

        envelope = await published(bench)
        await worker.seen(lambda each: each.seen.state is State.DRAINED)
        await worker.roster.called("beat")
        await worker.roster.called("beat")
        assert bench.memory.ready(NORMAL) == 1
        await worker.ask(drains=False)
        await until_sent(bench, envelope)


async def test_a_database_that_is_away_ends_no_presence(bench: Bench) -> None:
    worker = Worker(bench)
    async with worker.working():
        await worker.is_in(State.RUNNING)
        worker.roster.is_away = StoreUnavailableError("away")
        await worker.roster.called("beat")
        await worker.roster.called("beat")
        worker.roster.is_away = None
        await worker.ask(drains=True)
        await worker.is_in(State.DRAINED)


@pytest.mark.parametrize("away", [None, StoreUnavailableError("away")])
async def test_an_end_is_written_down_if_that_is_possible(
    bench: Bench, away: Exception | None
) -> None:
    worker = Worker(bench)
    async with worker.working():
        await worker.is_in(State.RUNNING)
    worker.roster.is_away = away

    await note_end(cast(Roster, worker.roster), ME.name)

    [found] = await bench.stores.roster.list(limit=10)
    assert (found.seen.state is State.STOPPED) == (away is None)
