from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.contract.worker.bench import Bench, open_bench
from tests.schema import sqlite_database


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What was logged; without a set-up, structlog would draw every trace."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A worker's surroundings: a SQLite file and a memory queue of the test's own."""
    async with open_bench(sqlite_database(tmp_path / "notifier.db")) as opened:
        yield opened
