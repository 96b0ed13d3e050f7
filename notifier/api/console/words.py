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


def length_words(length_s: float) -> str:
    """Return how long something takes, in the unit that suits it."""
    if length_s < 1:
        return f"{length_s * 1_000:.0f} ms"
    if length_s < 60:  # noqa: PLR2004
        return f"{length_s:.1f} s"
    minutes = length_s / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004


def counted(count: int, word: str) -> str:
    """Return how many there are of something."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
