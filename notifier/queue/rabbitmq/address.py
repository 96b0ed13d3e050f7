"""Where a broker is: what its URL says, for both of the clients that notifier uses."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from yarl import URL

from notifier.errors import SettingsError
from notifier.urls import Place, port_number, split_place

_SCHEME = re.compile(r"(?P<scheme>amqps?)://", re.IGNORECASE)
_BETWEEN_URLS = re.compile(r",\s*(?=amqps?://)", re.IGNORECASE)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]\s,]+)(:(?P<port>[^:,]*))?")
_EXPECTED = "expected amqp://user:password@host/vhost, amqps://... or memory://"

# Of each file, the names that RabbitMQ's clients have for it.
_AUTHORITIES = ("cacertfile", "cafile", "ca_certs")
_CERTIFICATE = ("certfile",)
_KEY = ("keyfile",)
_VERIFY = {"verify_peer": True, "verify_none": False}
_NO_VERIFY = {"0": True, "false": True, "1": False, "true": False}
# notifier has its own for these.
_WITHOUT_EFFECT = (
    "heartbeat", "connection_timeout", "name", "connection_attempts", "retry_delay",
    "socket_timeout", "stack_timeout", "blocked_connection_timeout", "timeout", "auth",
    "auth_mechanism", "channel_max", "frame_max",
)  # fmt: skip
_KNOWN = {*_AUTHORITIES, *_CERTIFICATE, *_KEY, "verify", "no_verify_ssl", *_WITHOUT_EFFECT}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """What an `amqp://` or `amqps://` URL says; the files are of certificates (PEM).

    Several brokers are the nodes of one cluster: everything but where they are is the same.
    """

    endpoints: tuple[Endpoint, ...]
    user: str
    password: str = field(repr=False)
    vhost: str
    is_tls: bool
    is_verified: bool
    authorities: str | None
    certificate: str | None
    key: str | None

    def url(self, endpoint: Endpoint) -> URL:
        """The URL of one broker as aio-pika reads it, without parameters."""
        return URL.build(
            scheme="amqps" if self.is_tls else "amqp",
            host=endpoint.host,
            port=endpoint.port,
            user=self.user,
            password=self.password,
            path=f"/{self.vhost}",
        )

    def tls(self) -> ssl.SSLContext | None:
        """How to verify the broker; None without TLS.

        Raises:
            SettingsError: a certificate or its key cannot be read.
        """
        if not self.is_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.authorities)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise _wrong(f"its certificates cannot be used ({type(error).__name__})") from None
        if not self.is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def parse_broker(text: str) -> BrokerAddress:
    """Read the URL of a broker as RabbitMQ's clients do.

    Several nodes of a cluster are `amqp://user:password@a:5672,b:5673/vhost`, or whole URLs with
    commas between them. Without a vhost it is `/`; without a user, guest.

    Raises:
        SettingsError: it is wrong; the message names what is, and repeats no value.
    """
    first, *others = (_parse(url) for url in _BETWEEN_URLS.split(text.rstrip(", ")))
    if any(replace(other, endpoints=first.endpoints) != first for other in others):
        raise _wrong("its brokers differ in more than host and port: they must be of one cluster")
    endpoints = (endpoint for each in (first, *others) for endpoint in each.endpoints)
    return replace(first, endpoints=tuple(endpoints))


def _parse(url: str) -> BrokerAddress:
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise _wrong(_EXPECTED)
    is_tls = scheme["scheme"].lower() == "amqps"
    try:
        place = split_place(url[scheme.end() :], _KNOWN, "see docs/connections.md")
        usual_port = "5671" if is_tls else "5672"
        return BrokerAddress(
            endpoints=tuple(_endpoint(host, usual_port) for host in place.hosts.split(",")),
            user=place.user or "guest",
            password="guest" if place.password is None else place.password,
            vhost=_vhost(place),
            is_tls=is_tls,
            is_verified=_is_verified(place.parameters),
            authorities=_file(place.parameters, _AUTHORITIES),
            certificate=_file(place.parameters, _CERTIFICATE),
            key=_file(place.parameters, _KEY),
        )
    except ValueError as error:
        raise _wrong(str(error)) from None


def _wrong(problem: str) -> SettingsError:
    return SettingsError(f"NOTIFIER_BROKER_URL: {problem}")


def _endpoint(text: str, usual_port: str) -> Endpoint:
    found = _HOST.fullmatch(text)
    if found is None:
        raise ValueError(_EXPECTED)
    return Endpoint(found["host"].strip("[]"), port_number(found["port"] or usual_port))


def _vhost(place: Place) -> str:
    """The vhost, in which a slash is written %2F; one at the end, or alone, says nothing."""
    path = place.path.rstrip("/")
    if "/" in path or "," in path:
        raise ValueError("write %2F for / in the vhost, %2C for a comma, and all hosts before it")
    return unquote(path) or "/"


def _is_verified(parameters: Mapping[str, str]) -> bool:
    verify = parameters.get("verify", "verify_peer").lower()
    if verify not in _VERIFY:
        raise ValueError("verify: expected verify_peer or verify_none")
    no_verify = parameters.get("no_verify_ssl", "0").lower()
    if no_verify not in _NO_VERIFY:
        raise ValueError("no_verify_ssl: expected 0 or 1")
    return _VERIFY[verify] and _NO_VERIFY[no_verify]


def _file(parameters: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    name = next((name for name in names if name in parameters), None)
    if name is None:
        return None
    try:
        with Path(parameters[name]).open("rb"):
            return parameters[name]
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: its file cannot be read ({type(error).__name__})") from None
