"""What all tests of faults have in common."""

import pytest

from tests.e2e.processes import uncount_processes


@pytest.fixture(autouse=True)
def uncounted_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault is about what is under way: processes run as fast as they do."""
    uncount_processes(monkeypatch)
