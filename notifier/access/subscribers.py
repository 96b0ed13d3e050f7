"""Subscriber tokens: with one, a browser opens the inbox of one recipient for a while.

A token reads `nts_<claims>.<signature>`, both in base64url. It is kept nowhere: its signature is
an HMAC under a secret that is derived from the pepper of API keys. Whoever holds one can read the
claims, but not make another.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from notifier.access.signing import Signer

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
        self._signer = Signer(pepper, _PURPOSE, prefix=_PREFIX)

    def sign(self, subscriber: Subscriber) -> str:
        """Return the token of `subscriber`, which works until `expires_at`."""
        expires_s = int(subscriber.expires_at.timestamp())
        return self._signer.signed(
            (subscriber.service, subscriber.recipient, subscriber.key_id, expires_s)
        )

    def read(self, token: str) -> Subscriber | None:
        """Return whose token it is, even if it has expired; None if it was not signed here."""
        claims = self._signer.claims(token)
        if claims is None:
            return None
        service, recipient, key_id, expires_s = claims
        return Subscriber(
            service=service,
            recipient=recipient,
            key_id=key_id,
            expires_at=datetime.fromtimestamp(expires_s, UTC),
        )


def is_token(credentials: str) -> bool:
    """Whether somebody presents a token, and no API key."""
    return credentials.startswith(_PREFIX) and len(credentials) <= _MAX_CHARS
