"""The loop on which worlds run keeps asyncio's promises, and no others."""

import asyncio
import random
import socket
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.simulation.loop import Process, UnrealError, WorldLoop, this_process
from tests.simulation.reality import unreal


def lived(loop: WorldLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run until `work`, in a process of its own, is done."""
    loop.live(Process("main", loop), work)


def order_within(loop: WorldLoop) -> list[int]:
    order: list[int] = []

    async def main() -> None:
        for number in range(10):
            loop.call_soon(order.append, number)
        await asyncio.sleep(0.1)

    lived(loop, main())
    return order


def order_between(loop: WorldLoop) -> list[str]:
    order: list[str] = []

    async def main() -> None:
        for name in "abc":
            process = Process(name, loop)
            for _ in range(5):
                process.post(0.5, order.append, name)
        await asyncio.sleep(1)

    lived(loop, main())
    return order


@pytest.fixture
def loop() -> Iterator[WorldLoop]:
    with closing(WorldLoop(random.Random(1))) as made:
        yield made


def test_hours_pass_at_once(loop: WorldLoop) -> None:
    async def sleep() -> None:
        await asyncio.sleep(36_000)

    began_s = time.monotonic()
    lived(loop, sleep())

    assert loop.time() == 36_000
    assert time.monotonic() - began_s < 5


def test_time_stands_still_while_anybody_can_go_on(loop: WorldLoop) -> None:
    seen: list[float] = []

    async def spin() -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)
        seen.append(loop.time())

    async def both() -> None:
        spinning = Process("other", loop).spawn(spin())
        await asyncio.sleep(1)
        assert spinning.done()

    lived(loop, both())

    assert seen == [0]


def test_inside_a_process_what_is_ready_first_runs_first() -> None:
    for seed in range(50):
        with closing(WorldLoop(random.Random(seed))) as loop:
            assert order_within(loop) == list(range(10))


def test_between_processes_the_seed_chooses() -> None:
    def order_of(seed: int) -> str:
        with closing(WorldLoop(random.Random(seed))) as loop:
            return "".join(order_between(loop))

    orders = [order_of(seed) for seed in range(20)]

    assert len(set(orders)) > 15
    assert orders == [order_of(seed) for seed in range(20)]


def test_a_killed_process_cleans_nothing_up_and_what_it_sent_arrives(loop: WorldLoop) -> None:
    told: list[str] = []

    async def victim(friend: Process) -> None:
        friend.post(0.5, told.append, "sent before")
        try:
            await asyncio.sleep(0.3)
            told.append("went on")
        finally:
            told.append("cleaned up")

    async def main() -> None:
        process = Process("victim", loop)
        task = process.spawn(victim(this_process()))
        process.on_death.append(lambda: told.append("dead"))
        await asyncio.sleep(0.1)
        process.kill()
        await asyncio.sleep(1)
        assert not task.done()

    lived(loop, main())

    assert told == ["dead", "sent before"]


def test_a_frozen_process_finds_all_that_came_meanwhile(loop: WorldLoop) -> None:
    told: list[tuple[str, float]] = []

    async def main() -> None:
        process = Process("frozen", loop)
        process.freeze()
        process.post(1, lambda: told.append(("first", loop.time())))
        process.post(2, lambda: told.append(("second", loop.time())))
        await asyncio.sleep(10)
        process.thaw()
        await asyncio.sleep(1)

    lived(loop, main())

    assert told == [("first", 10), ("second", 10)]


def test_a_world_in_which_nothing_can_happen_any_more_says_so(loop: WorldLoop) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(UnrealError, match="nothing will happen"):
        lived(loop, wait())


def test_a_world_has_no_threads(loop: WorldLoop) -> None:
    async def thread() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(UnrealError, match="threads"):
        lived(loop, thread())


def test_in_a_world_clocks_and_chance_are_its_own() -> None:
    def seen(seed: int) -> tuple[object, ...]:
        with unreal(lambda: 5.0, 1_000.0, random.Random(seed)):
            return time.time(), time.monotonic(), random.random()

    assert seen(1)[:2] == (1_005.0, 5.0)
    assert seen(1) == seen(1)
    assert seen(1) != seen(2)
    assert time.time() > 1_000_000_000


def test_a_world_reaches_no_socket() -> None:
    with (
        unreal(lambda: 0.0, 0.0, random.Random(1)),
        pytest.raises(UnrealError, match="socket"),
    ):
        socket.socket()
