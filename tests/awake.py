"""How long something takes, not counting what the machine takes for itself.

Where a test bounds how long somebody may wait, a machine that stands still for seconds, or is busy
with much else, is no defect of ours.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_TICK_S = 0.02
_LONGEST_S = 0.1


class AwakeClock:
    """Counts seconds while this process gets to run: a longer pause counts for a moment only."""

    def __init__(self) -> None:
        self._counted_s = 0.0
        self._seen_s = time.monotonic()
        self._lock = threading.Lock()

    def monotonic_s(self) -> float:
        """Seconds awake since it was started."""
        with self._lock:
            now_s = time.monotonic()
            self._counted_s += min(now_s - self._seen_s, _LONGEST_S)
            self._seen_s = now_s
            return self._counted_s


@contextmanager
def awake_clock() -> Iterator[AwakeClock]:
    """A clock that runs; a thread of its own sees pauses, whatever the event loop is at."""
    clock, is_over = AwakeClock(), threading.Event()

    def tick() -> None:
        while not is_over.wait(_TICK_S):
            clock.monotonic_s()

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield clock
    finally:
        is_over.set()
        ticking.join()
