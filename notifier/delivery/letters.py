"""When a dead queue is worth looking through."""

from dataclasses import dataclass

REST = 50
"""How much longer to leave a large queue alone than its last sweep took."""
MANY = 1_000
FEWER_FOR_S = 60


@dataclass(slots=True)
class Letters:
    """What a relay knows of one dead queue: how many letters are no news, when to look again.

    While another relay sweeps, they are fewer for a while: only what stays so for long is taken
    for the new number. `now_s` is any clock that only grows.
    """

    _known: int | None = None
    _found: int = 0
    _lowest: int = 0
    _fewer_since_s: float | None = None
    _not_before_s: float = 0

    def are_news(self, ready: int, now_s: float) -> bool:
        """Whether there may be letters that no sweep has seen, and it is time to look."""
        self._found = ready
        if self._known is not None and ready < self._known:
            self._note_fewer(ready, now_s)
        else:
            self._fewer_since_s = None
        return ready > (self._known or 0) and now_s >= self._not_before_s

    def swept(self, removed: int, now_s: float, took_s: float) -> None:
        """Note that what was found before the sweep is no news any more."""
        self._known = max(self._found - removed, 0)
        self._fewer_since_s = None
        if self._found > MANY:
            self._not_before_s = now_s + took_s * REST

    def forget(self) -> None:
        """Take all that is found next for news: what comes as another goes is no growth."""
        self._known = None

    def _note_fewer(self, ready: int, now_s: float) -> None:
        if self._fewer_since_s is None:
            self._fewer_since_s, self._lowest = now_s, ready
        self._lowest = min(self._lowest, ready)
        if now_s - self._fewer_since_s >= FEWER_FOR_S:
            self._known, self._fewer_since_s = self._lowest, None
