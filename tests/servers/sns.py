"""A stand-in for Amazon SNS: it signs messages, serves its certificate and is asked to confirm.

It serves HTTPS on loopback under the name of a region's SNS, and whoever fetches with `fetch`
finds it there: the URLs are SNS's own. Use it inside the running loop:

    async with open_sns(folder) as sns:
        await client.post("/callbacks/ses", **sns.message("Notification", Message="..."))
"""

import asyncio
import base64
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from aiohttp import TCPConnector, web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from notifier.channels.email.ses.fetching import HttpsFetch
from tests.servers.certificates import make_certificates

HOST: Final = "sns.eu-west-1.amazonaws.com"
TOPIC: Final = "arn:aws:sns:eu-west-1:123456789012:ses"
PLACE: Final = "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
CERTIFICATE_URL: Final = f"https://{HOST}{PLACE}"
SUBSCRIBE_URL: Final = (
    f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37fb687f5d51e6e2"
)
_DAY = dt.timedelta(days=1)


def a_key() -> rsa.RSAPrivateKey:
    """Make a key such as SNS signs with."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def a_certificate(key: rsa.RSAPrivateKey, *, from_days: float = -1, until_days: float = 1) -> bytes:
    """Return a certificate (PEM) of `key` that is valid between these days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + from_days * _DAY)
        .not_valid_after(now + until_days * _DAY)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def string_to_sign(fields: Mapping[str, str]) -> bytes:
    """Write what is signed, as SNS's documentation has it: in byte order of the names."""
    names = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"]
    if fields["Type"] == "Notification":
        names += ["Subject"] if "Subject" in fields else []
    else:
        names += ["SubscribeURL", "Token"]
    return "".join(f"{name}\n{fields[name]}\n" for name in sorted(names)).encode()


@dataclass(slots=True)
class Sns:
    """One region's SNS; `asked` are the paths that it was asked for, in order."""

    fetch: HttpsFetch = field(default_factory=HttpsFetch)
    key: rsa.RSAPrivateKey = field(default_factory=a_key)
    certificate: bytes = b""
    asked: list[str] = field(default_factory=list)
    answer: web.Response | None = None
    """Instead of its own."""
    released: asyncio.Event | None = None
    """Answers wait for it, if there is one."""

    def message(self, type: str, *, version: str = "1", **fields: str) -> dict[str, Any]:
        """Return what a client needs to post a signed message as SNS does."""
        return posted(self.signed(type, version=version, **fields))

    def signed(self, type: str, *, version: str = "1", **changes: str) -> dict[str, str]:
        """Return the fields of a message, signed."""
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {
            "Type": type,
            "MessageId": str(uuid4()),
            "TopicArn": TOPIC,
            "Message": "You have chosen to subscribe",
            "Timestamp": now,
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
        }
        if type != "Notification":
            fields |= {"Token": "2336412f37fb687f5d51e6e2", "SubscribeURL": SUBSCRIBE_URL}
        fields |= changes
        return {**fields, "Signature": self.sign(string_to_sign(fields), version)}

    def sign(self, signed: bytes, version: str = "1") -> str:
        """Sign these bytes as the version has it."""
        hashing = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303  SNS's own
        return base64.b64encode(self.key.sign(signed, padding.PKCS1v15(), hashing)).decode()

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if self.released is not None:
            await self.released.wait()
        if self.answer is not None:
            return self.answer
        if request.path.endswith(".pem"):
            return web.Response(body=self.certificate)
        return web.Response(text="<ConfirmSubscriptionResponse/>")


def posted(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what a client needs to post these fields as SNS does."""
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "X-Amz-Sns-Message-Type": fields["Type"],
        "X-Amz-Sns-Message-Id": fields["MessageId"],
        "X-Amz-Sns-Topic-Arn": fields["TopicArn"],
    }
    return {"content": json.dumps(fields, indent=2).encode(), "headers": headers}


class _ToLoopback(AbstractResolver):
    """Finds every host on loopback, at the port of whoever stands in for it."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:  # noqa: ARG002  as it is called
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self._port, family=2, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def open_sns(folder: Path, *, timeout_s: float = 4) -> AsyncIterator[Sns]:
    """Serve on loopback with a certificate for HOST, which only its own `fetch` trusts."""
    certificates = make_certificates(folder, HOST)
    trust = certificates.client_context()
    async with _serving(certificates.server_context()) as (port, sites):

        def connector() -> TCPConnector:
            return TCPConnector(resolver=_ToLoopback(port), ssl=trust)

        sns = Sns(HttpsFetch(connector, timeout_s=timeout_s))
        sns.certificate = a_certificate(sns.key)
        sites.append(sns)
        yield sns


@asynccontextmanager
async def _serving(tls: ssl.SSLContext) -> AsyncIterator[tuple[int, list[Sns]]]:
    sites: list[Sns] = []

    async def handle(request: web.Request) -> web.Response:
        return await sites[0].serve(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1], sites
    finally:
        await runner.cleanup()
