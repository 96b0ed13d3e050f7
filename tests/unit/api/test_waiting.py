"""A deadline for what may not have to wait at all."""

import asyncio

import pytest

from notifier.api.kit.waiting import within
from tests.patience import AT_ALL_S


async def test_what_need_not_wait_is_done_before_its_deadline_is_set() -> None:
    async def two() -> int:
        return 2

    assert await within(-1, two()) == 2


async def test_what_waits_goes_on_where_it_was() -> None:
    steps = []

    async def three() -> int:
        for step in range(3):
            steps.append(step)
            await asyncio.sleep(0)
        return 3

    assert await within(AT_ALL_S, three()) == 3
    assert steps == [0, 1, 2]


async def test_what_waits_too_long_is_cancelled_and_may_clean_up() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    with pytest.raises(TimeoutError):
        await within(0.01, forever())
    assert ended == ["cleaned up"]


@pytest.mark.parametrize("waits", [0, 2])
async def test_what_it_raises_is_raised(waits: int) -> None:
    async def fails() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        await within(AT_ALL_S, fails())


async def test_what_handles_its_cancelling_goes_on() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "went on"

    task = asyncio.create_task(within(AT_ALL_S, stubborn()))
    await asyncio.sleep(0)
    task.cancel()

    assert await task == "went on"
