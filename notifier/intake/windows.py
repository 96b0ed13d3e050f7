"""Windows: how much of what waits is in a work queue, where nothing can overtake it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from notifier.notification.model import Lane
from notifier.notification.queueing import QueueDepth

# Fewer would run out between two looks, as fast as some providers answer.
_LEAST: Final = 16


@dataclass(frozen=True, slots=True)
class Window:
    """How many messages may be ready in a work queue before no more are put into it.

    A queue hands out first what came first, whoever sent it: services can only take turns with
    what is not in it yet. `unattended` is for a queue that nobody consumes, where no turn comes.
    With a `share_of_consumers` few consumers have a smaller window, so that what is ready waits
    for about that part of an attempt's time, however long one takes.
    """

    ready: int
    unattended: int = sys.maxsize
    look_every_s: float = 0.025
    """How long to wait before looking again at a queue that is full."""
    share_of_consumers: float | None = None

    def portion(self, depth: QueueDepth | None) -> int:
        """How many one process may put into a queue of this depth; None: it holds nothing.

        That is half the room, since others look as well, and 0 while there is little.
        """
        limit = self._ready_for(depth.consumers) if depth and depth.consumers else self.unattended
        room = limit - (depth.ready if depth else 0)
        return 0 if room <= limit // 4 else (room + 1) // 2

    def _ready_for(self, consumers: int) -> int:
        if self.share_of_consumers is None:
            return self.ready
        return min(self.ready, max(round(consumers * self.share_of_consumers), _LEAST))


WINDOWS: Final[Mapping[Lane, Window]] = MappingProxyType(
    {
        Lane.HIGH: Window(100, unattended=100, share_of_consumers=0.5, look_every_s=0.01),
        Lane.NORMAL: Window(2_000, look_every_s=0.25),
        Lane.BULK: Window(20_000, look_every_s=1),
    }
)
