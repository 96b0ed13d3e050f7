"""What fails again and again, as the log tells it: its beginning, a reminder a minute, its end."""

from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

_REMIND_EVERY_S = 60


class Trouble:
    """Something that is tried over and over, and what was said of its failures.

    `failing` and `over` are the log's events, `names` say of what. What fails and works by turns
    is told of once a minute too. Times are those of `now_s`.
    """

    def __init__(
        self, failing: str, over: str, now_s: Callable[[], float], **names: object
    ) -> None:
        self._failing = failing
        self._over = over
        self._now_s = now_s
        self._names = names
        self._told_at_s = float("-inf")
        self._is_told = False

    def met(self, **details: object) -> None:
        """Note that it failed."""
        if self._now_s() - self._told_at_s < _REMIND_EVERY_S:
            return
        self._told_at_s = self._now_s()
        self._is_told = True
        log.warning(self._failing, **self._names, **details)

    def ended(self) -> None:
        """Note that it worked."""
        if self._is_told:
            self._is_told = False
            log.info(self._over, **self._names)
