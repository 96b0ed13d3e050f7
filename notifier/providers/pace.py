"""The pace at which a provider takes calls, as one process learns it: slowly up, quickly down.

An account's limit is rarely known and often changes. Who was throttled goes at seven tenths of
the pace that he had, has it back after 15 s, and then feels his way further up. Where all
processes of an account do this each comes to have its share, and they know nothing of one another.
"""

from collections import deque

_WINDOW_S = 10.0
_BURST_S = 1.0
_LEFT = 0.7
_REGAINED_IN_S = 15.0
_MORE_A_SECOND = 0.1
_FORGOTTEN_AFTER_S = 300.0
_SLOWEST_PER_S = 0.2


class Pace:
    """One provider's; none until it throttled after it had taken something."""

    def __init__(self) -> None:
        self.per_s: float | None = None
        """Calls in a second; None: as fast as may be."""
        self._gain_per_s = 0.0
        self._taken_at_s: deque[float] = deque()
        self._next_turn_s = 0.0
        self._lowered_at_s = float("-inf")
        self._changed_at_s = 0.0

    def turn(self, now_s: float, *, patience_s: float) -> float | None:
        """Take the next turn: seconds until it comes, or None if beyond `patience_s`."""
        if self.per_s is None:
            return 0.0
        turn_s = max(self._next_turn_s, now_s)
        if turn_s - now_s > patience_s:
            return None
        self._next_turn_s = turn_s + 1 / self.per_s
        return turn_s - now_s

    def taken(self, now_s: float) -> None:
        """The provider took a call."""
        self._taken_at_s.append(now_s)
        while self._taken_at_s[0] < now_s - _WINDOW_S:
            self._taken_at_s.popleft()
        if self.per_s is None:
            return
        passed_s, self._changed_at_s = now_s - self._changed_at_s, now_s
        since_s = now_s - self._lowered_at_s
        if since_s < _REGAINED_IN_S:
            self.per_s += self._gain_per_s * passed_s
        elif since_s < _FORGOTTEN_AFTER_S:
            self.per_s *= 1 + _MORE_A_SECOND * min(passed_s, 1)
        else:
            self.per_s = None

    def throttled(self, now_s: float) -> bool:
        """The provider was asked too often; says whether that is a matter of pace.

        It is none where nothing was taken of late. What was on its way when the pace came down
        brings it down no further.
        """
        had_per_s = self._measured_per_s(now_s)
        if had_per_s is None:
            return False
        if now_s - self._lowered_at_s >= _BURST_S:
            had_per_s = had_per_s if self.per_s is None else min(had_per_s, self.per_s)
            self.per_s = max(had_per_s * _LEFT, _SLOWEST_PER_S)
            self._gain_per_s = (self.per_s / _LEFT - self.per_s) / _REGAINED_IN_S
            self._lowered_at_s = self._changed_at_s = now_s
            self._next_turn_s = now_s + max(_BURST_S, 1 / self.per_s)
        return True

    def _measured_per_s(self, now_s: float) -> float | None:
        taken = [at_s for at_s in self._taken_at_s if at_s >= now_s - _WINDOW_S]
        if not taken:
            return None
        return len(taken) / max(now_s - taken[0], 1.0)
