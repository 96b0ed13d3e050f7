"""How much is under way at once, and whose."""

import asyncio

import pytest

from notifier.api.kit.problems import ProblemError
from notifier.api.kit.rooms import ConcurrencyLimit, Held, Room
from tests.patience import AT_ALL_S


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


async def test_a_place_is_not_waited_for_for_ever() -> None:
    limit = ConcurrencyLimit(at_once=1, waiting=1, patience_s=0.05)
    async with limit.of("a"):
        async with limit.of("b"):
            pass
        with pytest.raises(ProblemError) as waited:
            await _take(limit)
    assert waited.value.problem.status == 429

    await _take(limit)


async def test_who_finds_a_full_line_does_not_wait_at_all() -> None:
    limit = ConcurrencyLimit(at_once=1, waiting=1, patience_s=2 * AT_ALL_S)
    async with asyncio.timeout(AT_ALL_S):
        async with limit.of("a"):
            waiting = asyncio.create_task(_take(limit))
            await asyncio.sleep(0)
            with pytest.raises(ProblemError) as refused:
                await _take(limit)
        await waiting

    assert refused.value.problem.status == 429


async def _take(limit: ConcurrencyLimit) -> None:
    async with limit.of("a"):
        pass
