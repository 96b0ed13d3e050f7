"""Hooks are told in their own time, and nothing that they do reaches anybody else."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from notifier.clock import SystemClock
from notifier.hooks.calling import MOST_WAITING, Hook, Hooks
from notifier.hooks.counts import Calls, Result
from notifier.hooks.moments import Accepted, Moment
from tests.patience import AT_ALL_S

VALUE = Accepted(
    id=UUID(int=7), service="orders", channel="email", at=datetime(2026, 11, 27, tzinfo=UTC)
)
CLOCK = SystemClock()


class Held:
    """A function that does not return before it is let go."""

    def __init__(self) -> None:
        self.is_called = threading.Event()
        self.let_go = threading.Event()

    def accepted(self, value: Accepted) -> None:
        del value
        self.is_called.set()
        assert self.let_go.wait(AT_ALL_S)


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.let_go.set()


def hooks_of(*targets: object, timeout_s: float = AT_ALL_S) -> Hooks:
    hooks = Hooks(
        [
            Hook(f"hook-{nth}", target, timeout_s=timeout_s, clock=CLOCK)
            for nth, target in enumerate(targets)
        ]
    )
    hooks.start()
    return hooks


def ended(hooks: Hooks, stop_s: float = AT_ALL_S) -> dict[tuple[str, Result], int]:
    """What was counted, once all was told."""
    hooks.stop(CLOCK.monotonic_s() + stop_s)
    return {(each.hook, each.result): count for each, count in hooks.taken_counts().items()}


def test_functions_and_coroutines_are_told_at_their_moment_alone() -> None:
    told: list[object] = []

    async def later(value: object) -> None:
        await asyncio.sleep(0)
        told.append(value)

    hooks = hooks_of(
        SimpleNamespace(accepted=told.append, final=print), SimpleNamespace(accepted=later)
    )
    hooks.tell(Moment.ACCEPTED, VALUE)
    hooks.tell(Moment.BEFORE_SEND, VALUE)

    assert ended(hooks) == {("hook-0", Result.DONE): 1, ("hook-1", Result.DONE): 1}
    assert told == [VALUE, VALUE]
    assert hooks.want(Moment.FINAL, Moment.BEFORE_SEND)
    assert not hooks.want(Moment.AFTER_OUTCOME)


@pytest.mark.parametrize("error", [ValueError("ada@example.org"), SystemExit(1)])
def test_what_a_hook_raises_ends_there_and_is_visible(error: BaseException) -> None:
    def fail(value: object) -> None:
        del value
        raise error

    told: list[object] = []
    with capture_logs() as logs:
        hooks = hooks_of(SimpleNamespace(accepted=fail), SimpleNamespace(accepted=told.append))
        for _ in range(3):
            hooks.tell(Moment.ACCEPTED, VALUE)
        counts = ended(hooks)

    assert counts == {("hook-0", Result.FAILED): 3, ("hook-1", Result.DONE): 3}
    assert len(told) == 3
    assert logs == [
        {
            "event": "hook.failing",
            "log_level": "warning",
            "hook": "hook-0",
            "moment": "accepted",
            "error": type(error).__name__,
        }
    ]


def test_a_coroutine_is_cancelled_when_its_time_is_over_and_the_next_is_told() -> None:
    calls = iter([True, False])

    async def hang_once(value: object) -> None:
        del value
        if next(calls):
            await asyncio.Event().wait()

    hooks = hooks_of(SimpleNamespace(accepted=hang_once), timeout_s=0.01)
    hooks.tell(Moment.ACCEPTED, VALUE)
    hooks.tell(Moment.ACCEPTED, VALUE)

    assert ended(hooks)["hook-0", Result.LATE] >= 1


def test_a_hook_that_hangs_holds_up_nobody_and_is_visible(held: Held) -> None:
    is_told = threading.Event()
    hooks = hooks_of(held, SimpleNamespace(final=lambda _: is_told.set()))
    hooks.tell(Moment.ACCEPTED, VALUE)
    assert held.is_called.wait(AT_ALL_S)

    with capture_logs() as logs:
        for _ in range(MOST_WAITING + 2):
            hooks.tell(Moment.ACCEPTED, VALUE)
        hooks.tell(Moment.FINAL, VALUE)
        assert is_told.wait(AT_ALL_S)
        counts = hooks.taken_counts()

    assert counts[Calls("hook-0", Moment.ACCEPTED, Result.DROPPED)] == 2
    assert [each["event"] for each in logs] == ["hook.failing"]
    assert hooks.room == 0


def test_a_hook_that_hangs_is_told_of_though_nothing_waits_for_it(held: Held) -> None:
    hooks = hooks_of(held, timeout_s=0)
    hooks.tell(Moment.ACCEPTED, VALUE)
    assert held.is_called.wait(AT_ALL_S)

    with capture_logs() as logs:
        hooks.taken_counts()

    assert [(each["event"], each["reason"]) for each in logs] == [
        ("hook.failing", "it does not return")
    ]


def test_the_end_of_a_process_does_not_wait_for_a_hook_that_hangs(held: Held) -> None:
    hooks = hooks_of(held)
    hooks.tell(Moment.ACCEPTED, VALUE)
    assert held.is_called.wait(AT_ALL_S)
    hooks.tell(Moment.ACCEPTED, VALUE)

    assert ended(hooks, stop_s=0.01) == {("hook-0", Result.DROPPED): 1}
