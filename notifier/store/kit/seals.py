"""Texts that rest in the database under keys which the database has not got.

A sealed text names the key that opens it, and is written: the version of this form, the key's id,
and in base64url a nonce and what AES-256-GCM makes of the text. Each place has a key of its own,
derived from the secret: no key seals more than a few texts, so that nonces can be drawn at random
for as long as a secret lasts. What is sealed for one place cannot be opened in another.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "1"
_KEY_ID_BYTES = 6
_NONCE_BYTES = 12


class Seals:
    """Seals and opens texts under secrets: the first seals, each of them opens."""

    def __init__(
        self, secrets: Sequence[bytes], *, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._secrets = {_key_id(secret): _root(secret) for secret in secrets}
        self._newest = _key_id(secrets[0])
        self._random = random

    def sealed(self, place: bytes, text: bytes) -> str:
        """Return the text as it may rest in this place."""
        nonce = self._random(_NONCE_BYTES)
        made = _cipher(self._secrets[self._newest], place).encrypt(nonce, text, place)
        return f"{_VERSION}.{self._newest}.{base64.urlsafe_b64encode(nonce + made).decode()}"

    def opened(self, place: bytes, sealed: str) -> bytes | None:
        """Return the text; None if no secret here opens it, or it is of another place."""
        version, _, rest = sealed.partition(".")
        key_id, _, made = rest.partition(".")
        root = self._secrets.get(key_id)
        if root is None or version != _VERSION:
            return None
        try:
            raw = base64.urlsafe_b64decode(made)
            nonce, made_of = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return _cipher(root, place).decrypt(nonce, made_of, place)
        except (InvalidTag, binascii.Error, ValueError):
            return None


def _cipher(root: bytes, place: bytes) -> AESGCM:
    return AESGCM(hmac.digest(root, place, "sha256"))


def _root(secret: bytes) -> bytes:
    return hmac.digest(secret, b"notifier seals: key", "sha256")


def _key_id(secret: bytes) -> str:
    return hmac.digest(secret, b"notifier seals: id", "sha256")[:_KEY_ID_BYTES].hex()
