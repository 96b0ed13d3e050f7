"""The clock that goes by the database's time."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from notifier.errors import StoreUnavailableError
from notifier.store.kit.clock import DatabaseClock
from tests.clock import SystemClock
from tests.contract.store.stores import Stores
from tests.patience import AT_ALL_S

SLACK_S = 1.5
"""Below what counts as skewed; the database runs on this machine."""


@dataclass(slots=True)
class Machine(SystemClock):
    """A machine whose clock was set wrong."""

    ahead_s: float = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as captured:
        yield captured


def is_right(clock: DatabaseClock) -> bool:
    return abs((clock.now() - datetime.now(UTC)).total_seconds()) < SLACK_S


@pytest.mark.parametrize(("ahead_s", "words"), [(300, "300 s ahead of"), (-300, "300 s behind")])
async def test_a_wrong_clock_is_corrected_and_told_of_once(
    stores: Stores, logs: list[EventDict], ahead_s: float, words: str
) -> None:
    clock = DatabaseClock(stores.database, Machine(ahead_s))

    for _ in range(3):
        await clock.measure()

    assert is_right(clock)
    assert clock.problem() == f"this machine's clock is {words} the database's"
    [skewed] = logs
    assert (skewed["event"], skewed["log_level"]) == ("clock.skewed", "warning")


async def test_a_clock_that_agrees_is_left_as_it_is(stores: Stores, logs: list[EventDict]) -> None:
    machine = Machine()
    clock = DatabaseClock(stores.database, machine)

    await clock.measure()

    assert is_right(clock)
    assert clock.problem() is None
    assert logs == []


async def test_a_clock_that_is_set_right_while_it_runs_is_followed(
    stores: Stores, logs: list[EventDict]
) -> None:
    machine = Machine(3_600)
    clock = DatabaseClock(stores.database, machine, measure_every_s=0.01)
    running = asyncio.create_task(clock.run())

    for ahead_s, count in ((3_600, 1), (0, 2), (-60, 3)):
        machine.ahead_s = ahead_s
        async with asyncio.timeout(AT_ALL_S):
            while len(logs) < count:  # noqa: ASYNC110  nobody tells of a measurement
                await asyncio.sleep(0.01)
        assert is_right(clock)
    running.cancel()

    assert [each["event"] for each in logs] == ["clock.skewed", "clock.agrees", "clock.skewed"]


async def test_what_was_measured_stays_while_the_database_is_away(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = DatabaseClock(stores.database, Machine(300))
    await clock.measure()

    async def read(_work: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(stores.database, "read", read)
    await clock.measure()

    assert is_right(clock)
