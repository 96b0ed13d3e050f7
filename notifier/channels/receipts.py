"""What readings of providers' callbacks have in common.

Nothing that a provider writes as prose is kept: it quotes addresses.
"""

import base64
import re
from dataclasses import dataclass

from notifier.notification.model import JsonValue
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.transitions import Transition

PROVIDER_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event of a provider means for its notification."""

    transition: Transition | None
    words: str | None = None
    """Why it did not arrive; None where it did or may yet."""
    suppress_as: SuppressionReason | None = None
    lift: SuppressionReason | None = None
    is_of_category: bool = False
    """Whether only what the notification's category is of is meant."""


def fault_for(meaning: Meaning, code: str) -> Fault | None:
    """Return the fault to record; None where it arrived, or may yet."""
    if meaning.words is None:
        return None
    return Fault(kind="permanent", code=code, message=meaning.words)


def matching(pattern: re.Pattern[str], value: JsonValue) -> str | None:
    """Return a text that matches; None for anything else."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


_MAX_CHARS = 256


def decoded_bytes(signature: str) -> int:
    """Return how many bytes a signature in base64 has; 0 if it is none."""
    if len(signature) > _MAX_CHARS:
        return 0
    try:
        return len(base64.b64decode(signature, validate=True))
    except ValueError:
        return 0
