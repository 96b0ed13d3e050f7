"""Subscriber tokens: with one, a browser opens the inbox of one recipient for a while.

A token reads `nts_<claims>.<signature>`, both in base64url. It is kept nowhere: its signature is
an HMAC under a secret that is derived from the pepper of API keys. Whoever holds one can read the
claims, but not make another.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

_PREFIX = "nts_"
_PURPOSE = b"notifier subscriber tokens, version 1"
_MAX_CHARS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """Whose inbox a token opens until when, and the id of the API key that it was made with."""

    service: str
    recipient: str
    """In its normal form."""
    key_id: str
    expires_at: datetime
    """In whole seconds."""


class SubscriberTokens:
    """Signs tokens, and reads those that it signed."""

    def __init__(self, pepper: bytes) -> None:
        self._secret = hmac.digest(pepper, _PURPOSE, "sha256")

    def sign(self, subscriber: Subscriber) -> str:
        """Return the token of `subscriber`, which works until `expires_at`."""
        expires_s = int(subscriber.expires_at.timestamp())
        claims = (subscriber.service, subscriber.recipient, subscriber.key_id, expires_s)
        body = _encoded(orjson.dumps(claims))
        return f"{_PREFIX}{body}.{self._signature(body)}"

    def read(self, token: str) -> Subscriber | None:
        """Return whose token it is, even if it has expired; None if it was not signed here."""
        body, _, signature = token.removeprefix(_PREFIX).partition(".")
        if not is_token(token) or not hmac.compare_digest(
            signature.encode(), self._signature(body).encode()
        ):
            return None
        service, recipient, key_id, expires_s = orjson.loads(_decoded(body))
        return Subscriber(
            service=service,
            recipient=recipient,
            key_id=key_id,
            expires_at=datetime.fromtimestamp(expires_s, UTC),
        )

    def _signature(self, body: str) -> str:
        return _encoded(hmac.digest(self._secret, body.encode(), "sha256"))


def is_token(credentials: str) -> bool:
    """Whether somebody presents a token, and no API key."""
    return credentials.startswith(_PREFIX) and len(credentials) <= _MAX_CHARS


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
