"""What all tests of faults have in common."""

import os

import pytest

from tests.e2e.processes import uncounted


@pytest.fixture(autouse=True)
def uncounted_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes run as fast as they do: a fault is about what is under way."""
    for name in os.environ.keys() - uncounted(os.environ).keys():
        monkeypatch.delenv(name)
