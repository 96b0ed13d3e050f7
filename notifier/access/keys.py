"""API keys: minting, reading and comparing them.

A key reads `ntf_<id>_<secret>`. The id is public and finds the stored record; the secret has 256
random bits. Stored is only an HMAC of the whole key under a pepper that the database never sees,
so that a stolen table opens nothing.
"""

import hmac
import re
import secrets
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

SCOPES = (
    "send",
    "read",
    "templates",
    "recipients",
    "broadcasts",
    "schedules",
    "events",
    "rules",
    "admin",
)
"""What a key may be for; `admin` implies the others and is not bound to its own service."""

_ALPHABET = string.ascii_letters + string.digits
_ID_CHARS = 16
_SECRET_CHARS = 43
_MAX_SERVICE = 100
_KEY = re.compile(
    rf"ntf_(?P<id>[A-Za-z0-9]{{{_ID_CHARS}}})_[A-Za-z0-9]{{{_SECRET_CHARS}}}", re.ASCII
)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A well-formed key as somebody presented it; `text` stays out of every repr."""

    id: str
    text: str = field(repr=False)

    def digest(self, pepper: bytes) -> str:
        """Return what is stored of it: HMAC-SHA-256 in hexadecimal digits."""
        return hmac.digest(pepper, self.text.encode(), "sha256").hex()

    def matches(self, digest: str, pepper: bytes) -> bool:
        """Whether `digest` is its own; takes the same time whatever differs."""
        return hmac.compare_digest(self.digest(pepper), digest)


def mint() -> PresentedKey:
    """Make a new key. Its text is to be shown once and not kept."""
    id = _random_text(_ID_CHARS)
    return PresentedKey(id, f"ntf_{id}_{_random_text(_SECRET_CHARS)}")


def parse(text: str) -> PresentedKey | None:
    """Read a key; None if `text` cannot be one."""
    match = _KEY.fullmatch(text)
    return PresentedKey(match["id"], text) if match else None


def is_service_name(text: str) -> bool:
    """Whether a service may be called that: it stands in logs, tables and metrics."""
    return 0 < len(text) <= _MAX_SERVICE and text == text.strip() and text.isprintable()


def implied_scopes(scopes: frozenset[str]) -> frozenset[str]:
    """Return `scopes` and those that they imply."""
    return frozenset(SCOPES) if "admin" in scopes else scopes


def _random_text(chars: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(chars))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A stored API key; the key itself is known to its holder alone."""

    id: str
    service: str
    scopes: frozenset[str]
    digest: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    is_usable: bool
    """Neither expired nor revoked, by the database's clock, when it was read."""


class KeyStore(Protocol):
    """API keys."""

    async def add(
        self,
        *,
        id: str,
        service: str,
        scopes: Collection[str],
        digest: str,
        expires_at: datetime | None,
    ) -> None:
        """Store a new key."""

    async def find(self, id: str) -> ApiKey | None:
        """The key with this id."""

    async def list(self) -> Sequence[ApiKey]:
        """All keys, oldest first."""

    async def revoke(self, id: str) -> bool:
        """Revoke for good; False if there is no such key. Idempotent."""
