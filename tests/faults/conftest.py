"""What all tests of faults have in common."""

import os

import pytest


@pytest.fixture(autouse=True)
def uncounted_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes run as fast as they do, with nobody counting their lines.

    Where coverage counts them, they need half as much again: a fault is about what is under way.
    """
    for name in os.environ:
        if name.startswith("COVERAGE_PROCESS_"):
            monkeypatch.delenv(name)
