"""The certificates that SNS signs with: where they may come from, and whether one signed.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import asyncio
import base64
import re
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from notifier.channels.email.ses.fetching import Fetch
from notifier.clock import Clock
from notifier.errors import UncheckedError, UnsignedError

SNS_HOST = r"https://sns\.[a-z]{2,12}(?:-[a-z]{2,12}){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?"
"""A region's SNS and nobody else: no login, no port, no name behind it."""
# Anything else under that host may answer with what a stranger wrote.
_PLACE = re.compile(SNS_HOST + r"/SimpleNotificationService-[0-9a-zA-Z]{1,64}\.pem", re.ASCII)
_HASHES: Mapping[str, type[HashAlgorithm]] = {"1": SHA1, "2": SHA256}
_MIN_BITS = 2048
_MOST_KEPT = 8
_MOST_AT_ONCE = 4


class Certificates:
    """Fetches each certificate once, and keeps those of late."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, x509.Certificate] = {}
        self._fetching: dict[str, asyncio.Task[x509.Certificate | Exception]] = {}

    async def verify(self, url: str, version: str, signature: str, signed: bytes) -> None:
        """Check that SNS signed these bytes.

        Raises:
            UnsignedError: it did not, or not with the certificate that `url` names.
            UncheckedError: the certificate cannot be had for now.
        """
        hashing = _HASHES.get(version)
        if hashing is None:
            raise UnsignedError("its signature is of an unknown version")
        if not _PLACE.fullmatch(url):
            raise UnsignedError("its certificate is not kept by SNS")
        key = self._valid_key(await self._certificate(url))
        try:
            raw = base64.b64decode(signature, validate=True)
            key.verify(raw, signed, PKCS1v15(), hashing())
        except (InvalidSignature, ValueError) as error:
            raise UnsignedError("it is not signed with SNS's certificate") from error

    def _valid_key(self, certificate: x509.Certificate) -> RSAPublicKey:
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_BITS:
            raise UnsignedError("its certificate has a key of another kind than SNS's")
        if not (
            certificate.not_valid_before_utc <= self._clock.now() <= certificate.not_valid_after_utc
        ):
            raise UnsignedError("its certificate is not valid at this time")
        return key

    async def _certificate(self, url: str) -> x509.Certificate:
        if url in self._kept:
            return self._kept[url]
        if url not in self._fetching:
            if len(self._fetching) >= _MOST_AT_ONCE:
                raise UncheckedError("too many certificates are being fetched")
            self._fetching[url] = asyncio.create_task(self._fetched(url))
        # Whoever waits for it may go away; others wait for the same.
        found = await asyncio.shield(self._fetching[url])
        if isinstance(found, Exception):
            raise found
        return found

    async def _fetched(self, url: str) -> x509.Certificate | Exception:
        try:
            certificate = x509.load_pem_x509_certificate(await self._fetch(url))
        except UncheckedError as error:
            return error
        except ValueError:
            return UncheckedError("what SNS answers is no certificate")
        finally:
            del self._fetching[url]
        while len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[url] = certificate
        return certificate
