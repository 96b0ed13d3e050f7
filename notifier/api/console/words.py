"""How the console writes what several of its pages show."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from notifier.notification.model import Channel

CHANNELS: Mapping[Channel, str] = {
    Channel.EMAIL: "Email",
    Channel.SMS: "SMS",
    Channel.IN_APP: "In-app",
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def time_words(at: datetime, clocks: tzinfo = UTC) -> str:
    """Return a time as `clocks` show it and people read it, to the minute."""
    there = at.astimezone(clocks)
    offset = f"{there:%z}"
    zone = "UTC" if there.tzname() == "UTC" else f"{offset[:3]}:{offset[3:5]}"
    return f"{_DAYS[there.weekday()]} {there:%Y-%m-%d %H:%M} {zone}"


def counted(count: int, word: str) -> str:
    """Return how many there are of something."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
