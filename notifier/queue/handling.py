"""What every queue does around a handler, whichever broker is behind it."""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.queueing import Handler

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
HANDLER_END_S = 5.0
"""How long a cancelled handler may take to end."""
REMEMBERED = 1_000
"""Of how many messages a queue's back-off remembers that they went back."""


async def handle(handler: Handler, envelope: Envelope) -> Settlement:
    """Run `handler` as the last thing but settling of a task; returns what becomes of the message.

    A cancellation ends the handler, not the caller, which still has to settle.
    """
    try:
        return await handler(envelope)
    except asyncio.CancelledError:
        return Settlement.REQUEUE
    # The boundary: whatever it is, the message goes back. What has a claim fails of its attempts.
    except Exception:
        log.exception("queue.handler_failed", id=str(envelope.id))
        return Settlement.CRASHED


@dataclass(slots=True)
class Backoff:
    """How long to hold a message before it goes back; one for the consumers of a queue.

    Requeued at once it comes back at once: a handler that cannot work would spin, and spend the
    broker's delivery limit within a second. What becomes of other messages says nothing of it.
    """

    returns: OrderedDict[tuple[UUID, int], int] = field(default_factory=OrderedDict)
    _is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self, envelope: Envelope, settlement: Settlement) -> None:
        """Wait before `settlement`: longer each time it goes back, and not at all otherwise."""
        message = (envelope.id, envelope.attempt)
        returns = self.returns.pop(message, 0)
        if settlement in (Settlement.ACK, Settlement.BURY):
            return
        self.returns[message] = returns + 1
        if len(self.returns) > REMEMBERED:
            self.returns.popitem(last=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(_pause_s(returns)):
                await self._is_over.wait()

    def end(self) -> None:
        """Hold nothing until it begins again: who would be handed the messages has gone."""
        self._is_over.set()

    def begin(self) -> None:
        """Hold messages again."""
        self._is_over.clear()


def _pause_s(returns: int) -> float:
    return min(FIRST_PAUSE_S * 2.0 ** min(returns, 20), LONGEST_PAUSE_S)
