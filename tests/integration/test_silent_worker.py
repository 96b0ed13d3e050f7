"""A worker whose consumers stay without consuming: only a fresh process helps."""

import asyncio
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import cast

import pytest

from notifier.composition import workers
from notifier.composition.settings import read_settings
from notifier.queue.memory import MemorySubscription
from notifier.settings.groups import Settings
from notifier.worker.consumers import Consumers
from notifier.worker.supervisor import Life
from tests.patience import AT_ALL_S
from tests.schema import sqlite_database

ENDED = "a consumer ended"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again without a pause; the test's own process is no worker to be spared."""
    monkeypatch.setattr("notifier.composition.workers._WATCH_S", 0)
    monkeypatch.setattr("notifier.composition.workers.spare_collector", lambda: None)


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    url = sqlite_database(tmp_path / "notifier.db")
    return read_settings(
        {
            "NOTIFIER_DATABASE_URL": url,
            "NOTIFIER_BROKER_URL": "memory://",
            "NOTIFIER_KEY_PEPPER": "a pepper of 16 or more",
            "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
            "NOTIFIER_SMS__PROVIDERS": "none",
        }
    )


class Looks:
    """Consumers that are found like this, one look after the other."""

    def __init__(self, problems: Sequence[str | None]) -> None:
        self.left: Iterator[str | None] = iter(problems)

    def problem(self) -> str | None:
        return next(self.left)


async def test_a_worker_ends_itself_when_its_consumers_stay_without_consuming(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemorySubscription, "problem", lambda _self: ENDED)
    link, parent = Pipe()

    with link, parent:
        async with asyncio.timeout(AT_ALL_S):
            problem = await workers._work(settings, "runner-1", Life("worker-1", 0), link)  # noqa: SLF001

    # What sys.exit writes; and with that the exit code is 1, so that it is started again.
    assert problem == f"notifier worker: {ENDED}"


async def test_a_worker_bears_consumers_that_come_back() -> None:
    looks = Looks([ENDED, ENDED, None, ENDED, None, ENDED, ENDED, ENDED, "not looked at"])

    await workers._silent(cast("Consumers", looks))  # noqa: SLF001

    assert list(looks.left) == ["not looked at"]
