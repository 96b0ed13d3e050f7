"""What was looked up or made, kept for the next time: no more than so much, and the last used."""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from notifier.clock import Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Values by key. What was used longest ago gives way, whatever is older than `fresh_s` is gone.

    `most` bounds what they weigh together; each weighs one unless `weigh` says otherwise. The
    newest is kept whatever it weighs.
    """

    def __init__(
        self,
        most: int,
        clock: Clock,
        *,
        fresh_s: float = math.inf,
        weigh: Callable[[Value], int] = lambda _value: 1,
    ) -> None:
        self._most = most
        self._clock = clock
        self._fresh_s = fresh_s
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[Key, tuple[Value, int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """Return what is kept under this key and fresh."""
        entry = self._values.get(key)
        if entry is None:
            return None
        value, _, until_s = entry
        if self._clock.monotonic_s() >= until_s:
            self.forget(key)
            return None
        self._values.move_to_end(key)
        return value

    def keep(self, key: Key, value: Value) -> None:
        """Keep a value, in place of what is kept under this key."""
        self.forget(key)
        weight = self._weigh(value)
        self._values[key] = (value, weight, self._clock.monotonic_s() + self._fresh_s)
        self._weight += weight
        while self._weight > self._most and len(self._values) > 1:
            _, (_, lost, _) = self._values.popitem(last=False)
            self._weight -= lost

    def forget(self, key: Key) -> None:
        """Keep nothing under this key."""
        if entry := self._values.pop(key, None):
            self._weight -= entry[1]
