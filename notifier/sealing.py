"""Links that hold whom they are for, sealed.

A token is, in base64url: a byte for how it is made, four that name the key, and the chooser
under AES-SIV (RFC 5297), which needs no randomness: the same chooser has the same token.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from notifier.audience.links import Chooser
from notifier.notification.model import Channel

_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_HEAD_BYTES = len(_VERSION) + _KEY_ID_BYTES
_BLOCK = 16
"""What is sealed is filled up to these bytes, so that its length tells less."""
_MAX_TOKEN_CHARS = 4_096


class SealedLinks:
    """`Links` below `base_url`, under secrets: the first seals, each of them opens."""

    def __init__(self, base_url: str, secrets: Sequence[bytes]) -> None:
        self._base_url = base_url
        self._keys = {_key_id(secret): AESSIV(_key(secret)) for secret in secrets}
        self._newest = _key_id(secrets[0])

    def unsubscribe_url(self, chooser: Chooser) -> str:
        """Return the address that unsubscribes this chooser."""
        return f"{self._base_url}/u/{self._sealed(chooser)}"

    def preferences_url(self, chooser: Chooser) -> str:
        """Return the address of this chooser's choices."""
        return f"{self.unsubscribe_url(chooser)}#choices"

    def opened(self, token: str) -> Chooser | None:
        """Return whom this token was sealed for."""
        if len(token) > _MAX_TOKEN_CHARS:
            return None
        raw = _bytes(token)
        head, sealed = raw[:_HEAD_BYTES], raw[_HEAD_BYTES:]
        key = self._keys.get(head[len(_VERSION) :])
        if key is None or not head.startswith(_VERSION) or len(sealed) <= _BLOCK:
            return None
        try:
            return _read(key.decrypt(sealed, [head]))
        except InvalidTag:
            return None

    def _sealed(self, chooser: Chooser) -> str:
        head = _VERSION + self._newest
        sealed = self._keys[self._newest].encrypt(_written(chooser), [head])
        return base64.urlsafe_b64encode(head + sealed).rstrip(b"=").decode()


def _key(secret: bytes) -> bytes:
    return hmac.digest(secret, b"notifier links: key", "sha512")


def _key_id(secret: bytes) -> bytes:
    return hmac.digest(secret, b"notifier links: id", "sha256")[:_KEY_ID_BYTES]


def _written(chooser: Chooser) -> bytes:
    fields = (
        chooser.service,
        chooser.channel,
        chooser.category,
        chooser.user_id,
        chooser.recipient,
    )
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return text.ljust(-(-len(text) // _BLOCK) * _BLOCK)


def _read(text: bytes) -> Chooser:
    service, channel, category, user_id, recipient = json.loads(text)
    return Chooser(
        service=service,
        channel=Channel(channel),
        category=category,
        user_id=user_id,
        recipient=recipient,
    )


def _bytes(token: str) -> bytes:
    """Return what a token says; nothing for what is not written as one is, to the last bit."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return b""
    is_ours = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == token
    return raw if is_ours else b""
