import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from notifier.store.upgrading import upgrade
from tests.contract.worker.bench import Bench, open_bench


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What was logged; without a set-up, structlog would draw every trace."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture(scope="session")
def worker_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("worker") / "template.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture
async def bench(worker_template: Path, tmp_path: Path) -> AsyncIterator[Bench]:
    """A worker's surroundings: a SQLite file and a memory queue of the test's own."""
    path = tmp_path / "notifier.db"
    shutil.copy(worker_template, path)
    async with open_bench(f"sqlite:///{path}") as opened:
        yield opened
