"""Windows: how much of what waits is in a work queue, where nothing can overtake it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from notifier.notification import Lane
from notifier.ports import QueueDepth


@dataclass(frozen=True, slots=True)
class Window:
    """How many messages may be ready in a work queue before no more are put into it.

    A queue hands out first what came first, whoever sent it: services can only take turns with
    what is not in it yet. `unattended` is for a queue that nobody consumes, where no turn comes.
    """

    ready: int
    unattended: int = sys.maxsize
    look_every_s: float = 0.025
    """How long to wait before looking again at a queue that is full."""

    def portion(self, depth: QueueDepth | None) -> int:
        """How many one process may put into a queue of this depth; None: it holds nothing.

        That is half the room, since others look as well, and 0 while there is little.
        """
        limit = self.ready if depth and depth.consumers else self.unattended
        room = limit - (depth.ready if depth else 0)
        return 0 if room <= limit // 4 else (room + 1) // 2


WINDOWS: Final[Mapping[Lane, Window]] = MappingProxyType(
    {
        # What is ready is sent within a tenth of a second or so by workers that send 1,000/s.
        Lane.HIGH: Window(100, unattended=100),
        Lane.NORMAL: Window(2_000, look_every_s=0.25),
        Lane.BULK: Window(20_000, look_every_s=1),
    }
)
