"""Coverage that tells greenlets apart at a tenth of what it usually takes for that.

Every statement of SQLAlchemy's runs in a greenlet of its own, and coverage keeps a stack for each.
It looks for the one that runs at every call and return, in all libraries too, by weak keys: that is
a call in Python, and more than all else that coverage does outside of what it measures.
"""

import weakref
from typing import Protocol

import pytest
from coverage import Coverage

_FEW = 256


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
    """Start to measure this thread, and those that it starts; only this one costs less."""
    with pytest.MonkeyPatch.context() as patched:
        # What it keeps stacks in is made with the first call that it sees: one of its own.
        patched.setattr(weakref, "WeakKeyDictionary", Stacks)
        measuring.start()


def measure_lightly() -> None:
    """Let what is measured already go on at less cost."""
    if measuring := Coverage.current():
        measuring.stop()
        measure(measuring)
