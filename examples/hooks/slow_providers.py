"""A hook: writes down calls to providers that took long, and what did not arrive.

SLOW_PROVIDERS_FILE names the file, SLOW_PROVIDERS_S what is long.
"""

import json
import os
from pathlib import Path
from uuid import UUID

from notifier.hooks.moments import Accepted, Answered, Final, Sending


class SlowProviders:
    """Made once in each process that calls hooks; each of its functions runs in one thread."""

    def __init__(self) -> None:
        self._file = Path(os.environ.get("SLOW_PROVIDERS_FILE", "slow-providers.jsonl"))
        self._slow_s = float(os.environ.get("SLOW_PROVIDERS_S", "2"))
        self._under_way: set[tuple[UUID, str]] = set()

    def accepted(self, value: Accepted) -> None:
        """Called once for each notification."""
        self._write(moment="accepted", id=str(value.id), service=value.service)

    def before_send(self, value: Sending) -> None:
        """Called for each call to a provider, as it begins."""
        self._under_way.add((value.id, value.provider))

    async def after_outcome(self, value: Answered) -> None:
        """Called as it has ended. Functions may be coroutines."""
        self._under_way.discard((value.id, value.provider))
        if value.duration_s >= self._slow_s:
            self._write(
                moment="slow",
                id=str(value.id),
                provider=value.provider,
                outcome=value.outcome,
                duration_s=round(value.duration_s, 3),
                beside=len(self._under_way),
                order=value.metadata.get("order"),
            )

    def final(self, value: Final) -> None:
        """Called with each final status."""
        if value.status in ("failed", "bounced", "expired"):
            self._write(moment=value.status, id=str(value.id), service=value.service)

    def _write(self, **line: object) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
