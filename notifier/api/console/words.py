"""How the console writes what several of its pages show."""

from collections.abc import Mapping
from datetime import datetime

from notifier.notification.model import Channel

CHANNELS: Mapping[Channel, str] = {
    Channel.EMAIL: "Email",
    Channel.SMS: "SMS",
    Channel.IN_APP: "In-app",
}


def clock_words(at: datetime) -> str:
    """Return a time of UTC as people read it, to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def counted(count: int, word: str) -> str:
    """Return how many there are of something."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
