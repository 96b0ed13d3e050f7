"""Coverage that tells greenlets apart at a tenth of what it usually takes for that.

Every statement of SQLAlchemy's runs in a greenlet of its own, and coverage keeps a stack for each.
It looks for the one that runs at every call and return, in all libraries too, by weak keys: that is
a call in Python, and more than all else that coverage does outside of what it measures. And where
several threads end at once, CPython 3.11 may never come back from tracing what a weak key calls.
"""

import threading
import weakref
from types import FrameType
from typing import Any, Protocol

import pytest
from coverage import Coverage
from coverage.collector import Collector
from coverage.types import TTraceFn

_FEW = 256
_in_turn = threading.Lock()
_usual_first_event = Collector._installation_trace  # noqa: SLF001  there is no other way to it


def _first_event(collector: Collector, frame: FrameType, event: str, arg: Any) -> TTraceFn | None:
    """Start to measure a thread with the first that happens in it."""
    with _in_turn, pytest.MonkeyPatch.context() as patched:
        patched.setattr(weakref, "WeakKeyDictionary", Stacks)
        return _usual_first_event(collector, frame, event, arg)


class Greenlet(Protocol):
    """What this asks of a greenlet, whose library has no types."""

    def __hash__(self) -> int: ...

    @property
    def dead(self) -> bool:
        """Whether it has ended."""


class Stacks(dict[Greenlet, int]):
    """The numbers of the greenlets' stacks; those of ended ones are forgotten now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._most = _FEW

    def __setitem__(self, running: Greenlet, stack: int) -> None:
        if len(self) >= self._most:
            self._forget_ended()
            self._most = 2 * len(self) + _FEW
        super().__setitem__(running, stack)

    def _forget_ended(self) -> None:
        for ended in [known for known in self if known.dead]:
            del self[ended]


def measure(measuring: Coverage) -> None:
    """Start to measure this thread, and those that are started from now on."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Collector, "_installation_trace", _first_event)
        # What it keeps stacks in is made with the first call that it sees: one of its own.
        patched.setattr(weakref, "WeakKeyDictionary", Stacks)
        measuring.start()


def measure_lightly() -> None:
    """Let what is measured already go on at less cost."""
    if measuring := Coverage.current():
        measuring.stop()
        measure(measuring)
