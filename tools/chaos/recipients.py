"""Recipients that tell a provider stand-in by their address what to do with them."""

from random import Random
from typing import Literal

from notifier.notification.model import Channel

Manner = Literal["taken", "silence", "later", "never"]

_NAMES: dict[Manner, str] = {
    "taken": "user", "silence": "silence", "later": "later", "never": "never",
}  # fmt: skip
_PREFIXES: dict[Manner, str] = {
    "taken": "+4915110", "silence": "+4915111", "later": "+4915112", "never": "+4915113",
}  # fmt: skip


def make_recipient(channel: Channel, manner: Manner, number: int) -> str:
    """The recipient with this number; all are different."""
    match channel:
        case Channel.EMAIL:
            return f"{_NAMES[manner]}-{number}@example.com"
        case Channel.SMS:
            return f"{_PREFIXES[manner]}{number % 10**6:06}"
        case Channel.IN_APP:
            return f"user-{number % 1_000}"


def manner_of(recipient: str) -> Manner:
    """What to do with a call for this recipient."""
    for manner, name in _NAMES.items():
        if recipient.startswith((f"{name}-", _PREFIXES[manner])):
            return manner
    return "taken"


def choose_manner(random: Random) -> Manner:
    """Mostly taken; a few each are met by silence, by a later please, and by a refusal."""
    weights: dict[Manner, float] = {"taken": 97, "silence": 0.3, "later": 2, "never": 0.7}
    return random.choices(list(weights), list(weights.values()))[0]
