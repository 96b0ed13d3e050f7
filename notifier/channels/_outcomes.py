"""What the adapters share: verdicts and the outcomes they stand for, redaction, HTTP tables."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import assert_never

from notifier.notification import Message, Outcome, Permanent, Systemic, Transient, Unknown

_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)


class Verdict(StrEnum):
    """What a provider's refusal means; the values of the outcome tables."""

    TRANSIENT = "transient"
    DEFERRED = "deferred"
    """Transient, and about this recipient alone."""
    THROTTLED = "throttled"
    PERMANENT = "permanent"
    SUPPRESS = "suppress"
    """Permanent, and the address itself is bad."""
    SYSTEMIC = "systemic"
    UNKNOWN = "unknown"


def outcome_of(
    verdict: Verdict, code: str, message: str, retry_after_s: float | None = None
) -> Outcome:
    """Return the outcome that `verdict` stands for."""
    match verdict:
        case Verdict.TRANSIENT:
            return Transient(code, message, retry_after_s)
        case Verdict.DEFERRED:
            return Transient(code, message, retry_after_s, concerns_recipient=True)
        case Verdict.THROTTLED:
            return Transient(code, message, retry_after_s, throttled=True)
        case Verdict.PERMANENT:
            return Permanent(code, message)
        case Verdict.SUPPRESS:
            return Permanent(code, message, suppress=True)
        case Verdict.SYSTEMIC:
            return Systemic(code, message)
        case Verdict.UNKNOWN:
            return Unknown(code, message)
        case _:
            assert_never(verdict)


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
    stands in the message's recipient or content, or in `secrets`.
    """
    text = "".join(char if char.isprintable() else " " for char in text[:_MAX_REDACTED_CHARS])
    text = _ADDRESS.sub("<address>", text)
    text = _NUMBER.sub("<number>", text)
    text = _TOKEN.sub("<token>", text)
    private = _private_words(message, secrets)
    text = _WORD.sub(lambda word: "…" if word[0].lower() in private else word[0], text)
    return " ".join(text.split())[:_MAX_FAULT_CHARS]


def _private_words(message: Message, secrets: Iterable[str]) -> frozenset[str]:
    texts = (message.recipient, message.subject, message.text, message.html, *secrets)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A verdict, and the least time until the next attempt."""

    verdict: Verdict
    at_least_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTable:
    """What refusals mean: by the provider's own code, else by status, else by status class."""

    codes: Mapping[str, Ruling]
    statuses: Mapping[int, Ruling]
    classes: Mapping[int, Ruling]
    otherwise: Ruling

    def ruling(self, status: int, code: str | None) -> Ruling:
        """Return what `status` and the provider's own `code` mean together."""
        if code is not None and code in self.codes:
            return self.codes[code]
        by_class = self.classes.get(status // 100, self.otherwise)
        return self.statuses.get(status, by_class)


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
