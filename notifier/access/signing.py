"""Signing what others keep for us: they can read it, but not make another."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

_MAX_CHARS = 4_000


class Signer:
    """Signs claims for one purpose, under a secret that is derived from the pepper of API keys.

    What it signs reads `<prefix><claims>.<signature>`, both in base64url.
    """

    def __init__(self, pepper: bytes, purpose: bytes, *, prefix: str = "") -> None:
        self._secret = hmac.digest(pepper, purpose, "sha256")
        self._prefix = prefix

    def signed(self, claims: object) -> str:
        """Return `claims`, values of JSON, with the signature."""
        body = _encoded(orjson.dumps(claims))
        return f"{self._prefix}{body}.{self.signature(body)}"

    def claims(self, text: str) -> Any | None:
        """Return what was signed here; None if this was not."""
        body, _, signature = text.removeprefix(self._prefix).partition(".")
        if not self._may_be_ours(text) or not hmac.compare_digest(
            signature.encode(), self.signature(body).encode()
        ):
            return None
        return orjson.loads(_decoded(body))

    def signature(self, text: str) -> str:
        """Return the signature of a text."""
        return _encoded(hmac.digest(self._secret, text.encode(), "sha256"))

    def _may_be_ours(self, text: str) -> bool:
        return text.startswith(self._prefix) and len(text) <= _MAX_CHARS


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
