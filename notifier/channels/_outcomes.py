"""What the adapters share: what cannot be sent, redaction, HTTP answers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from notifier.notification.model import Message

_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)


class UnsendableError(Exception):
    """A message that must not or cannot be put on this provider's wire; becomes Permanent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def plain_id(text: object) -> str | None:
    """Return a provider's id if it looks like one, so that nothing else passes for it."""
    return text if isinstance(text, str) and _ID.fullmatch(text) else None


# --- redaction ------------------------------------------------------------------------------

_MAX_FAULT_CHARS = 200
_MAX_REDACTED_CHARS = 2_000
_ADDRESS = re.compile(r"\S*@\S*")
_NUMBER = re.compile(r"\+?\d(?:[\s().-]?\d){3,}")
_TOKEN = re.compile(r"[\w+/=.-]{24,}")
_WORD = re.compile(r"\w{3,}")


def redact(text: str, message: Message, secrets: Iterable[str] = ()) -> str:
    """Return a provider's words without what must not be kept, 200 characters at most.

    Addresses, numbers and tokens go, and every word of three or more characters that also
    stands in the message's recipient, content or own headers, or in `secrets`.
    """
    text = "".join(char if char.isprintable() else " " for char in text[:_MAX_REDACTED_CHARS])
    text = _ADDRESS.sub("<address>", text)
    text = _NUMBER.sub("<number>", text)
    text = _TOKEN.sub("<token>", text)
    private = _private_words(message, secrets)
    text = _WORD.sub(lambda word: "…" if word[0].lower() in private else word[0], text)
    return " ".join(text.split())[:_MAX_FAULT_CHARS]


def _private_words(message: Message, secrets: Iterable[str]) -> frozenset[str]:
    headers = message.mail.headers.values() if message.mail else ()
    texts = (message.recipient, message.subject, message.text, message.html, *headers, *secrets)
    words = {word.lower() for text in texts if text for word in _WORD.findall(text)}
    # What our own replacements are made of says nothing.
    return frozenset(words - {"address", "number", "token"})


# --- HTTP -----------------------------------------------------------------------------------

_MAX_RETRY_AFTER_S = 86_400.0
_SMALLEST_EPOCH_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's complete answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by Retry-After, else X-RateLimit-Reset: 1 to 86,400, or None."""
    for name in ("retry-after", "x-ratelimit-reset"):
        seconds = _seconds(headers.get(name, ""), now)
        if seconds is not None:
            return min(max(seconds, 1.0), _MAX_RETRY_AFTER_S)
    return None


def _seconds(value: str, now: datetime) -> float | None:
    value = value.strip()
    if value.isascii() and value.isdigit():
        number = float(value[:15])
        return number - now.timestamp() if number >= _SMALLEST_EPOCH_S else number
    try:
        return (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError):
        return None
