"""Modules that are imported when they are needed, and not before."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def imported(name: str) -> Any:
    """Return the module of this name, imported now if it was not yet."""
    if name in sys.modules:
        return sys.modules[name]
    with _uncollected():
        return import_module(name)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage, and never again through what was made meanwhile.

    What is imported stays: looking through it took a third of the time of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
