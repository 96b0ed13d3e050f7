"""When to try again: pure arithmetic over attempts and delays."""

from collections.abc import Callable
from dataclasses import dataclass

from notifier.notification.model import OnUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How a channel's notifications are retried.

    `schedule_s` holds the delay before the second, third, ... attempt; its last step repeats
    until `max_attempts` are spent. Each delay varies by +-`jitter` (a fraction), so that what
    failed together does not come back together. A provider's Retry-After counts up to
    `max_retry_after_s`, so that a wrong one puts nothing off for ever.
    """

    schedule_s: tuple[float, ...] = (10, 60, 300, 1_800, 7_200, 18_000, 36_000)
    max_attempts: int = 8
    jitter: float = 0.2
    snooze_s: float = 60
    snooze_max_s: float = 3_600
    """What the delay grows to, where a refusal may be about the recipient alone."""
    snooze_limit_s: float = 86_400
    """How long it may be put off for a systemic reason in all, before it fails."""
    throttle_limit_s: float = 604_800
    """The same where its provider throttles, which a long backlog may have to bear."""
    max_retry_after_s: float = 86_400
    on_unknown: OnUnknown = OnUnknown.RESEND
    unknown_wait_s: float = 0
    """Least time for a provider's callback to settle a doubt before it is sent again."""

    def has_attempts_left(self, attempts_spent: int) -> bool:
        """Whether another attempt may follow after `attempts_spent` of them."""
        return attempts_spent < self.max_attempts

    def delay_s(
        self, attempts_spent: int, random: Callable[[], float], retry_after_s: float | None = None
    ) -> float:
        """Seconds until the next attempt, after `attempts_spent` of them.

        A provider's Retry-After wins over the schedule; jitter only lengthens it. `random`
        returns a number in [0, 1).
        """
        if retry_after_s is not None:
            return self._granted_s(retry_after_s) * (1 + self.jitter * random())
        step_s = self.schedule_s[min(max(attempts_spent, 1), len(self.schedule_s)) - 1]
        return step_s * (1 + self.jitter * (2 * random() - 1))

    def doubt_delay_s(self, attempts_spent: int, random: Callable[[], float]) -> float:
        """Seconds until what a provider may have taken is sent again."""
        return max(self.delay_s(attempts_spent, random), self.unknown_wait_s)

    def snooze_delay_s(
        self, random: Callable[[], float], retry_after_s: float | None = None
    ) -> float:
        """Seconds to wait where the provider throttles."""
        wait_s = self.snooze_s if retry_after_s is None else self._granted_s(retry_after_s)
        return wait_s * (1 + self.jitter * random())

    def put_off_s(self, random: Callable[[], float], snoozes: int) -> float:
        """Seconds to wait after a systemic refusal; doubles with each of `snoozes` before it."""
        most_s = max(self.snooze_s, self.snooze_max_s)
        return min(self.snooze_s * 2.0 ** min(snoozes, 32), most_s) * (1 + self.jitter * random())

    def _granted_s(self, retry_after_s: float) -> float:
        return min(max(1, retry_after_s), self.max_retry_after_s)  # in this order NaN becomes 1
