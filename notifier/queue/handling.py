"""What every queue does around a handler, whichever broker is behind it."""

import asyncio
from dataclasses import dataclass

import structlog

from notifier.notification import Envelope, Settlement
from notifier.ports import Handler

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
HANDLER_END_S = 5.0
"""How long a cancelled handler may take to end."""


async def handle(handler: Handler, envelope: Envelope) -> Settlement:
    """Run `handler` as the last thing but settling of a task; returns what becomes of the message.

    A cancellation ends the handler, not the caller, which still has to settle.
    """
    try:
        return await handler(envelope)
    except asyncio.CancelledError:
        return Settlement.REQUEUE
    # The boundary: whatever it is, the message goes back.
    except Exception:
        log.exception("queue.handler_failed", id=str(envelope.id))
        return Settlement.REQUEUE


@dataclass(slots=True)
class Backoff:
    """How long to hold a message before it goes back, shared by the consumers of a queue.

    Requeued at once it comes back at once: a handler that cannot work would spin, and spend the
    broker's delivery limit within a second.
    """

    requeued: int = 0

    async def hold(self, settlement: Settlement) -> None:
        """Wait before `settlement`: not at all for an ack, ever longer for requeues in a row."""
        if settlement is Settlement.ACK:
            self.requeued = 0
            return
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(self.requeued, 20), LONGEST_PAUSE_S)
        self.requeued += 1
        await asyncio.sleep(pause_s)
