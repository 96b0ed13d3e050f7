import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.notification.model import Lane
from notifier.worker.slots import Slots, SlotsClosedError

TURNS = 5


async def settle() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Work:
    """Something that takes a slot, and holds it until it is let go."""

    def __init__(self, slots: Slots, lane: Lane, started: "list[Work] | None" = None) -> None:
        self.lane = lane
        self.has_slot = False
        self.release = asyncio.Event()
        self.task = asyncio.create_task(self._run(slots, [] if started is None else started))

    async def _run(self, slots: Slots, started: "list[Work]") -> None:
        await slots.take(self.lane)
        self.has_slot = True
        started.append(self)
        try:
            await self.release.wait()
        finally:
            self.has_slot = False
            slots.give_back()


@asynccontextmanager
async def holding(slots: Slots, count: int) -> AsyncIterator[list[Work]]:
    works = [Work(slots, Lane.BULK) for _ in range(count)]
    await settle()
    try:
        yield works
    finally:
        for work in works:
            work.release.set()
        await asyncio.gather(*(work.task for work in works), return_exceptions=True)


async def test_the_most_urgent_waiter_goes_first_and_among_equals_who_came_first() -> None:
    slots, started = Slots(1), list[Work]()
    lanes = [Lane.BULK, Lane.NORMAL, Lane.HIGH, Lane.BULK, Lane.HIGH, Lane.NORMAL]

    async with holding(slots, 1):
        waiting = [Work(slots, lane, started) for lane in lanes]
        await settle()
        for work in waiting:
            work.release.set()
    await asyncio.gather(*(work.task for work in waiting))

    assert [waiting.index(work) for work in started] == [2, 4, 1, 5, 0, 3]


async def test_bulk_uses_all_slots_when_nothing_else_waits() -> None:
    slots = Slots(3)

    async with holding(slots, 4) as works:
        assert [work.has_slot for work in works] == [True, True, True, False]


async def test_a_waiter_that_is_cancelled_loses_no_slot() -> None:
    slots = Slots(1)

    async with holding(slots, 2) as (_, waiter):
        waiter.task.cancel()
        await settle()

    async with holding(slots, 1) as [work]:
        assert work.has_slot


async def test_a_waiter_cancelled_as_its_turn_comes_hands_the_slot_on() -> None:
    slots = Slots(1)
    await slots.take(Lane.NORMAL)
    second = asyncio.create_task(slots.take(Lane.NORMAL))
    third = asyncio.create_task(slots.take(Lane.NORMAL))
    await settle()

    slots.give_back()
    second.cancel()
    await settle()

    assert second.cancelled()
    assert third.done()


async def test_closing_turns_away_who_waits_and_who_comes_and_leaves_the_rest() -> None:
    slots = Slots(1)

    async with holding(slots, 2) as (holder, waiter):
        slots.close()
        await settle()

        assert holder.has_slot
        assert isinstance(waiter.task.exception(), SlotsClosedError)
        with pytest.raises(SlotsClosedError):
            await slots.take(Lane.HIGH)


ACTIONS = st.tuples(
    st.sampled_from(["come", "leave", "cancel", "close", "turn"]),
    st.integers(0, 9),
    st.sampled_from(Lane),
)


@given(st.integers(1, 4), st.lists(ACTIONS, max_size=40))
def test_slots_are_conserved_whatever_happens(
    count: int, actions: list[tuple[str, int, Lane]]
) -> None:
    asyncio.run(conserve(count, actions))


async def conserve(count: int, actions: list[tuple[str, int, Lane]]) -> None:
    slots, works, closed = Slots(count), list[Work](), False
    for action, index, lane in actions:
        chosen = works[index % len(works)] if works else None
        match action, chosen:
            case "come", _:
                works.append(Work(slots, lane))
            case "leave", Work():
                chosen.release.set()
            case "cancel", Work():
                chosen.task.cancel()
            case "close", _:
                slots.close()
                closed = True
            case "turn", _:
                await asyncio.sleep(0)
        assert sum(work.has_slot for work in works) <= count
    await settle()
    check_that_nobody_waits_for_nothing(works, count, closed=closed)
    for work in works:
        work.release.set()
    await asyncio.gather(*(work.task for work in works), return_exceptions=True)
    assert slots._free == count  # noqa: SLF001  what no caller can see, and all depend on


def check_that_nobody_waits_for_nothing(works: list[Work], count: int, *, closed: bool) -> None:
    waiting = [work for work in works if not work.has_slot and not work.task.done()]
    assert not (closed and waiting)
    if waiting:
        assert sum(work.has_slot for work in works) == count
