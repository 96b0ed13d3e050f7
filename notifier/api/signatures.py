"""Who signed a provider's callback."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from notifier.errors import SettingsError

Form: TypeAlias = Mapping[str, Sequence[str]]
Verify: TypeAlias = Callable[[str, bytes], bool]
"""Whether a signature (base64) is one of these bytes."""

_MAC_BYTES = 20
_MAX_ECDSA_BYTES = 160
_MAX_CHARS = 256
_PORTS = {"http": 80, "https": 443}


def is_mac(signature: str) -> bool:
    """Whether `signature` can be one of Twilio's."""
    return _decoded_bytes(signature) == _MAC_BYTES


def is_ecdsa(signature: str) -> bool:
    """Whether `signature` can be one of SendGrid's."""
    return 0 < _decoded_bytes(signature) <= _MAX_ECDSA_BYTES


def _decoded_bytes(signature: str) -> int:
    if len(signature) > _MAX_CHARS:
        return 0
    try:
        return len(base64.b64decode(signature, validate=True))
    except ValueError:
        return 0


def is_signed_by_twilio(auth_token: bytes, url: str, form: Form, signature: str) -> bool:
    """Whether `signature` is the account's own over `url`, as Twilio knows it, and all of `form`.

    A URL without a port is taken for one with its scheme's port and the other way round, because
    Twilio signs either.
    """
    told = "".join(f"{name}{value}" for name in sorted(form) for value in sorted(set(form[name])))
    given = signature.encode()
    return any(
        hmac.compare_digest(_mac(auth_token, spelling + told), given)
        for spelling in _spellings(url)
    )


def sendgrid_verifier(public_key: str) -> Verify:
    """Return what verifies ECDSA signatures over SHA-256 under `public_key` (DER in base64).

    Raises:
        SettingsError: it is no such key, or `notifier[sendgrid]` is not installed.
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            "NOTIFIER_SENDGRID__WEBHOOK_PUBLIC_KEY needs a library: pip install notifier[sendgrid]"
        ) from error
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SettingsError(
            "NOTIFIER_SENDGRID__WEBHOOK_PUBLIC_KEY: expected the verification key that SendGrid "
            "shows for its event webhook (base64)"
        )
    verifying = key

    def verify(signature: str, signed: bytes) -> bool:
        try:
            raw = base64.b64decode(signature, validate=True)
            verifying.verify(raw, signed, ec.ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    return verify


def _spellings(url: str) -> Sequence[str]:
    parts = urlsplit(url)
    port = _PORTS.get(parts.scheme)
    if parts.port not in (None, port):
        return (url,)
    return (_with_port(parts, None), _with_port(parts, port))


def _with_port(parts: SplitResult, port: int | None) -> str:
    host = parts.netloc.rpartition("@")[2]
    bare = host if parts.port is None else host.rpartition(":")[0]
    return parts._replace(netloc=bare if port is None else f"{bare}:{port}").geturl()


def _mac(auth_token: bytes, told: str) -> bytes:
    mac = hmac.new(auth_token, told.encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(mac.digest())
