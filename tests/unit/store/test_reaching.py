"""The first of several servers that can be reached: none that hangs is waited for."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from notifier.store.kit.reaching import first_reached

PATIENT_S = 60.0
"""Whoever waits for this fails: it is longer than a test may take."""


class Servers:
    """Servers by what they do, and who was asked, dropped and given up."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.dropped: list[str] = []
        self.given_up: list[str] = []
        self.answering = asyncio.Event()

    def named(self, *names: str) -> list[Callable[[], Coroutine[Any, Any, str]]]:
        return [partial(self._reach, name) for name in names]

    async def _reach(self, name: str) -> str:
        self.asked.append(name)
        if name == "refusing":
            raise ConnectionRefusedError(name)
        if name == "standby":
            raise ValueError(name)
        if name == "distrusted":
            raise ssl.SSLCertVerificationError(name)
        try:
            await {"hanging": asyncio.Event(), "late": self.answering}.get(name, SET).wait()
        except asyncio.CancelledError:
            self.given_up.append(name)
            raise
        return name

    async def reach(self, *names: str, patience_s: float = PATIENT_S) -> str:
        return await first_reached(
            self.named(*names), patience_s=patience_s, drop=self.dropped.append
        )


SET = asyncio.Event()
SET.set()


async def test_the_first_that_answers_is_taken_and_no_other_asked() -> None:
    servers = Servers()

    assert await servers.reach("good", "better") == "good"
    assert servers.asked == ["good"]


async def test_one_that_refuses_is_passed_over_at_once() -> None:
    servers = Servers()

    async with asyncio.timeout(PATIENT_S / 2):
        assert await servers.reach("refusing", "standby", "good") == "good"


async def test_one_that_hangs_is_passed_over_and_given_up() -> None:
    servers = Servers()

    assert await servers.reach("hanging", "hanging", "good", patience_s=0.01) == "good"
    await asyncio.sleep(0)
    assert servers.given_up == ["hanging", "hanging"]


async def test_one_that_is_late_is_taken_where_no_other_can_be() -> None:
    servers = Servers()
    reaching = asyncio.create_task(servers.reach("late", "standby", "refusing", patience_s=0.01))
    async with asyncio.timeout(PATIENT_S / 2):
        while servers.asked != ["late", "standby", "refusing"]:  # noqa: ASYNC110
            await asyncio.sleep(0)
    servers.answering.set()

    assert await reaching == "late"


async def test_of_two_that_answer_together_one_is_dropped() -> None:
    servers = Servers()
    reaching = asyncio.create_task(servers.reach("late", "late", patience_s=0.01))
    async with asyncio.timeout(PATIENT_S / 2):
        while servers.asked != ["late", "late"]:  # noqa: ASYNC110
            await asyncio.sleep(0)
    servers.answering.set()

    assert await reaching == "late"
    await asyncio.sleep(0)
    assert servers.dropped == ["late"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["refusing", "standby"], ValueError),
        (["standby", "refusing"], ValueError),
        (["refusing", "distrusted"], ssl.SSLCertVerificationError),
        (["refusing", "refusing"], ConnectionRefusedError),
    ],
)
async def test_what_a_server_answered_tells_more_than_that_one_did_not(
    names: list[str], told: type[Exception]
) -> None:
    with pytest.raises(told):
        await Servers().reach(*names)


async def test_whoever_gives_up_leaves_nothing_running() -> None:
    servers = Servers()
    reaching = asyncio.create_task(servers.reach("hanging", "late", patience_s=0.01))
    async with asyncio.timeout(PATIENT_S / 2):
        while servers.asked != ["hanging", "late"]:  # noqa: ASYNC110
            await asyncio.sleep(0)

    reaching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reaching
    await asyncio.sleep(0)

    assert servers.given_up == ["hanging", "late"]
