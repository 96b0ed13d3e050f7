"""What becomes of a message for which nothing was claimed."""

import structlog

from notifier.delivery.ports import Unclaimed
from notifier.idempotency import NotFound
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.orders import Erased

log = structlog.get_logger(__name__)


def settle_unclaimed(envelope: Envelope, why: Unclaimed | None) -> Settlement:
    """Say what becomes of it, and why.

    One that names what the database does not know may be all that is left of it; the letter of
    what cannot be sent again goes back to where it was.
    """
    named = {"id": str(envelope.id), "attempt": envelope.attempt}
    match why:
        case None:
            log.info("delivery.skipped", **named)
            return Settlement.ACK
        case NotFound():
            log.error("delivery.unknown", **named)
        case Erased():
            log.warning("delivery.erased", **named)
    return Settlement.BURY
