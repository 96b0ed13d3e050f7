"""When a provider's breaker opens: what one process saw of an account, as evidence against it.

An exchange about one recipient may fail because of that recipient. It counts only together with
exchanges about others.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown

_MAX_KNOWN: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a breaker opens, and for how long.

    It opens after `systemic_in_a_row` systemic failures that do not depend on a recipient; when
    `failure_ratio` of at least `min_calls` calls of one process within `window_s` failed; and
    when `recipients` different ones were refused for a systemic reason without a success in
    between, or more of them where more was sent within `window_s`. Unknown outcomes, and what
    else was said in an exchange about one recipient, count once for each recipient, and from
    `recipients` of them on. What was throttled in such an exchange is a matter of pace from
    `recipients` different ones on without a success in between.

    Each further trip without a success doubles the time from `open_min_s` to `open_max_s`. What
    opened on recipients' evidence is probed every `doubt_s`, one call at a time.
    """

    systemic_in_a_row: int = 3
    recipients: int = 3
    failure_ratio: float = 0.5
    min_calls: int = 20
    window_s: float = 30
    open_min_s: float = 30
    open_max_s: float = 600
    doubt_s: float = 1
    probe_lease_s: float = 60
    fresh_s: float = 1
    """How old what this process knows of the shared states may be."""
    throttle_s: float = 5
    """How long to pause where a throttling provider does not say."""
    hold_s: float = 900
    """How long to wait for a channel's providers before the notification is snoozed."""
    remind_s: float = 900
    """How often the log says that a breaker is still open."""

    def open_s(self, trips: int) -> float:
        """Seconds to stay open, after so many trips without a success in between."""
        return min(self.open_min_s * 2.0 ** min(trips, 16), self.open_max_s)


class _Call(NamedTuple):
    at_s: float
    has_failed: bool
    about: int | None = None
    """The recipient in whose exchange it failed; None where it failed before one."""


def is_about_one(outcome: Outcome) -> bool:
    """Whether a failure, or a success, may be due to the recipient that the call was about."""
    match outcome:
        case Systemic():
            return outcome.concerns_recipient
        case Transient():
            return outcome.concerns_recipient or outcome.about_one
        case Sent() | Permanent() | Unknown():
            return True
        case _:
            assert_never(outcome)


class Evidence:
    """What one process saw of one provider lately; knows recipients by a number alone."""

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._calls: deque[_Call] = deque()
        self._systemic_in_a_row = 0
        self._known: dict[int, bool] = {}  # who is part of the evidence, and whether as refused
        self._throttled: set[int] = set()

    def holds(self, recipient: int) -> bool:
        """Whether what failed with this recipient is part of the evidence already."""
        return recipient in self._known

    def trips(self, outcome: Outcome, recipient: int, now_s: float) -> bool:
        """Take in what came of a call; returns whether the breaker is to open."""
        is_ours = isinstance(outcome, Systemic) and not outcome.concerns_recipient
        self._systemic_in_a_row = self._systemic_in_a_row + 1 if is_ours else 0
        match outcome:
            case Sent():
                self._known.clear()
                self._throttled.clear()
                self._note(_Call(now_s, has_failed=False))
                return False
            case Permanent() | Transient(concerns_recipient=True):
                self._note(_Call(now_s, has_failed=False))
                return False
            case Systemic(concerns_recipient=True):
                self._forget(now_s)
                self._know(recipient, is_refused=True)
                return self._refuses_everybody()
            case Systemic():
                return self._systemic_in_a_row >= self._settings.systemic_in_a_row
            case Transient() | Unknown():
                about = recipient if is_about_one(outcome) else None
                self._note(_Call(now_s, has_failed=True, about=about))
                return self._fails_too_often()
            case _:
                assert_never(outcome)

    def throttles(self, outcome: Transient, recipient: int) -> bool:
        """Take in that a call was throttled; returns whether more than this recipient is."""
        if not outcome.about_one:
            return True
        enough = self._settings.recipients
        if len(self._throttled) < enough:
            self._throttled.add(recipient)
        return len(self._throttled) >= enough

    def has_opened(self) -> None:
        """Begin anew after a trip; who is part of the evidence is still known."""
        self._calls.clear()
        self._systemic_in_a_row = 0

    def _note(self, call: _Call) -> None:
        self._calls.append(call)
        self._forget(call.at_s)
        if call.about is not None:
            self._know(call.about, is_refused=self._known.get(call.about, False))

    def _forget(self, now_s: float) -> None:
        while self._calls and self._calls[0].at_s < now_s - self._settings.window_s:
            self._calls.popleft()

    def _know(self, recipient: int, *, is_refused: bool) -> None:
        self._known[recipient] = is_refused
        if len(self._known) > _MAX_KNOWN:
            del self._known[next(iter(self._known))]

    def _refuses_everybody(self) -> bool:
        worked = sum(not call.has_failed for call in self._calls)
        needed = max(self._settings.recipients, min(worked, _MAX_KNOWN))
        return sum(self._known.values()) >= needed

    def _fails_too_often(self) -> bool:
        worked = sum(not call.has_failed for call in self._calls)
        failed = sum(call.has_failed and call.about is None for call in self._calls)
        recipients = len({call.about for call in self._calls if call.about is not None})
        if recipients >= self._settings.recipients:
            failed += recipients
        calls = worked + failed
        enough = max(self._settings.min_calls, 1)
        return calls >= enough and failed >= calls * self._settings.failure_ratio
