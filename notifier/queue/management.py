"""RabbitMQ's management API, as far as policies need it."""

import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from notifier.notification import JsonValue
from notifier.queue.address import BrokerAddress, parse_broker

TIMEOUT_S = 5.0
PORT = 15672
TLS_PORT = 15671

Fields: TypeAlias = Mapping[str, JsonValue]


class ManagementError(Exception):
    """The management API is not to be had, or refused; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """The management API at `url`, for one virtual host."""

    url: str
    vhost: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False, default=None)

    @classmethod
    def of(cls, amqp_url: str, management_url: str | None) -> "Management":
        """The API of the broker at `amqp_url`, at its usual port on that host if not given.

        User and password are those of `management_url`, or else of `amqp_url`.
        """
        broker = parse_broker(amqp_url)
        at = urlsplit(management_url or _usual_url(broker))
        host = f"[{at.hostname}]" if at.hostname and ":" in at.hostname else at.hostname
        return cls(
            url=f"{at.scheme}://{host}:{at.port or _default_port(at.scheme)}{at.path.rstrip('/')}",
            vhost=broker.vhost,
            user=unquote(at.username) if at.username else broker.user,
            password=unquote(at.password or "guest") if at.username else broker.password,
            tls=broker.tls(),
        )

    def get(self, *path: str) -> JsonValue:
        """The answer of GET /api/<path>; None if there is no such thing."""
        return self._call("GET", path, None)

    def put(self, *path: str, body: Fields) -> None:
        """PUT /api/<path>."""
        self._call("PUT", path, body)

    def _call(self, method: str, path: tuple[str, ...], body: Fields | None) -> JsonValue:
        try:
            status, answer = self._exchange(method, path, body)
        except (OSError, HTTPException, ValueError) as error:
            reason = f"no management API at {self.url} ({type(error).__name__})"
            raise ManagementError(reason) from error
        if status == 404:  # noqa: PLR2004
            return None
        if status >= 400:  # noqa: PLR2004
            raise ManagementError(f"the management API at {self.url} answered {status}")
        return answer

    def _exchange(
        self, method: str, path: tuple[str, ...], body: Fields | None
    ) -> tuple[int, JsonValue]:
        connection = self._connect()
        try:
            target = "/".join(quote(part, safe="") for part in path)
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
            content = None if body is None else json.dumps(body)
            base = urlsplit(self.url).path
            connection.request(method, f"{base}/api/{target}", body=content, headers=headers)
            response = connection.getresponse()
            answer = response.read()
            is_json = response.status < 400 and bool(answer)  # noqa: PLR2004
            return response.status, json.loads(answer) if is_json else None
        finally:
            connection.close()

    def _connect(self) -> HTTPConnection:
        at = urlsplit(self.url)
        host = at.hostname or "localhost"
        if at.scheme == "https":
            return HTTPSConnection(host, at.port, timeout=TIMEOUT_S, context=self.tls)
        return HTTPConnection(host, at.port, timeout=TIMEOUT_S)


def _usual_url(broker: BrokerAddress) -> str:
    host = f"[{broker.host}]" if ":" in broker.host else broker.host
    return f"https://{host}:{TLS_PORT}" if broker.is_tls else f"http://{host}:{PORT}"


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
