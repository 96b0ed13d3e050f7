"""The API that is attacked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.one_process import OneProcess, one_process

CONNECTIONS = 40
PER_ADDRESS = 30

_SETTINGS = {
    # Nobody is trusted, so that every limit holds for loopback too.
    "NOTIFIER_API__TRUSTED_PROXIES": "192.0.2.1",
    "NOTIFIER_API__MAX_CONNECTIONS": str(CONNECTIONS),
    "NOTIFIER_API__MAX_CONNECTIONS_PER_ADDRESS": str(PER_ADDRESS),
    "NOTIFIER_API__HEAD_TIMEOUT_S": "1",
}


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """An API with small limits, in a process of its own."""
    folder: Path = tmp_path_factory.mktemp("attacked")
    with one_process(folder, _SETTINGS) as api:
        yield api
