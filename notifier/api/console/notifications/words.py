"""How the console tells of notifications."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from notifier.api.console.words import CHANNELS, time_words
from notifier.notification.model import Notification, Status
from notifier.notification.outcomes import Fault

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BITS = 80


def made_at(id: UUID) -> datetime:
    """Return when an id was made: a UUIDv7 begins with the milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=id.int >> _RANDOM_BITS)


def listed(it: Notification, *, names: bool) -> Mapping[str, object]:
    """Return a notification as a list shows it; `names` its service."""
    return {
        "id": str(it.id),
        "recipient": it.recipient,
        "channel": it.channel.value,
        "channel_name": CHANNELS[it.channel],
        "lane": it.lane.value,
        "service": it.service if names else None,
        "status": it.status.value,
        "since": time_words(it.finished_at or it.updated_at),
        "accepted": time_words(it.created_at),
        "error": error_words(it.fault) if it.status is not Status.SENT else "",
        "provider": it.provider or "",
    }


def error_words(fault: Fault | None) -> str:
    """Return an error in a line."""
    return f"{fault.code}: {fault.message}" if fault else ""
