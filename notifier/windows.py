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

    def room(self, depth: QueueDepth | None) -> int:
        """How many more a queue of this depth takes; None is a queue that holds nothing."""
        if depth is None:
            return self.unattended
        return max((self.ready if depth.consumers else self.unattended) - depth.ready, 0)

    def is_narrow(self, room: int) -> bool:
        """Whether so little room is not worth filling yet."""
        return room <= self.ready // 4


WINDOWS: Final[Mapping[Lane, Window]] = MappingProxyType(
    {
        # What is ready is sent within a tenth of a second or so by workers that send 1,000/s.
        Lane.HIGH: Window(100, unattended=100),
        Lane.NORMAL: Window(2_000),
        Lane.BULK: Window(20_000),
    }
)
