"""How much is under way at once, and whose."""

import asyncio

import pytest

from notifier.api.problems import ProblemError
from notifier.api.rooms import ConcurrencyLimit, Held, Room


def test_a_user_has_his_share_and_leaves_the_rest_to_others() -> None:
    room = Room(4, each=3)

    assert [room.take("a") for _ in range(4)] == [True, True, True, False]
    assert [room.take("b") for _ in range(2)] == [True, False]
    room.give_back("a")
    assert room.take("b")


def test_bytes_are_held_until_they_are_released() -> None:
    room = Room(100)
    held = Held(room)
    held.add("a", 60)
    with pytest.raises(ProblemError) as caught:
        Held(room).add("b", 60)
    assert caught.value.problem.status == 503
    assert caught.value.more.headers["Retry-After"] == "1"

    held.release()
    held.release()
    Held(room).add("b", 100)


async def test_a_place_is_waited_for_in_line_and_not_for_ever() -> None:
    limit = ConcurrencyLimit(at_once=1, waiting=1, patience_s=0.05)
    async with limit.of("a"):
        async with limit.of("b"):
            pass
        waiting = asyncio.create_task(_take(limit))
        await asyncio.sleep(0)
        with pytest.raises(ProblemError) as refused:
            await _take(limit)
        with pytest.raises(ProblemError) as waited:
            await waiting
    assert {refused.value.problem.status, waited.value.problem.status} == {429}

    await _take(limit)


async def _take(limit: ConcurrencyLimit) -> None:
    async with limit.of("a"):
        pass
