"""RabbitMQ's management API, as far as policies need it."""

import base64
import json
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlsplit

from notifier.notification.model import JsonValue
from notifier.queue.rabbitmq.address import BrokerAddress, Endpoint, parse_broker
from notifier.urls import each_url

TIMEOUT_S = 5.0
PORT = 15672
TLS_PORT = 15671

Fields: TypeAlias = Mapping[str, JsonValue]


class ManagementError(Exception):
    """The management API is not to be had, or refused; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """The management API at the first of `urls` that answers, for one virtual host."""

    urls: deque[str]
    vhost: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False, default=None)

    @classmethod
    def of(cls, amqp_url: str, management_url: str | None) -> "Management":
        """The API of the brokers at `amqp_url`, at its usual port on their hosts if not given.

        `management_url` may be several, of one cluster. User and password are theirs, or else of
        `amqp_url`.
        """
        broker = parse_broker(amqp_url)
        usual = [_usual_url(broker, endpoint.host) for endpoint in broker.endpoints]
        given = [urlsplit(url) for url in each_url(management_url)] if management_url else []
        user, password = next(filter(None, map(_login, given)), (broker.user, broker.password))
        return cls(
            urls=deque(map(_without_login, given) if given else usual),
            vhost=broker.vhost,
            user=user,
            password=password,
            tls=broker.tls(),
        )

    def get(self, *path: str) -> JsonValue:
        """The answer of GET /api/<path>; None if there is no such thing."""
        return self._call("GET", path, None)

    def put(self, *path: str, body: Fields) -> None:
        """PUT /api/<path>."""
        self._call("PUT", path, body)

    def _call(self, method: str, path: tuple[str, ...], body: Fields | None) -> JsonValue:
        status, answer = self._asked(method, path, body)
        if status == 404:  # noqa: PLR2004
            return None
        if status >= 400:  # noqa: PLR2004
            raise ManagementError(f"the management API at {self.urls[0]} answered {status}")
        return answer

    def _asked(
        self, method: str, path: tuple[str, ...], body: Fields | None
    ) -> tuple[int, JsonValue]:
        """Ask the first that answers, and leave it at the head."""
        problems = []
        for url in list(self.urls):
            try:
                return self._exchange(method, path, body)
            except (OSError, HTTPException, ValueError) as error:
                problems.append(f"at {url} ({type(error).__name__})")
                self.urls.rotate(-1)
        raise ManagementError(f"no management API {', '.join(problems)}")

    def _exchange(
        self, method: str, path: tuple[str, ...], body: Fields | None
    ) -> tuple[int, JsonValue]:
        connection = self._connect()
        try:
            target = "/".join(quote(part, safe="") for part in path)
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
            content = None if body is None else json.dumps(body)
            base = urlsplit(self.urls[0]).path
            connection.request(method, f"{base}/api/{target}", body=content, headers=headers)
            response = connection.getresponse()
            answer = response.read()
            is_json = response.status < 400 and bool(answer)  # noqa: PLR2004
            return response.status, json.loads(answer) if is_json else None
        finally:
            connection.close()

    def _connect(self) -> HTTPConnection:
        at = urlsplit(self.urls[0])
        host = at.hostname or "localhost"
        if at.scheme == "https":
            return HTTPSConnection(host, at.port, timeout=TIMEOUT_S, context=self.tls)
        return HTTPConnection(host, at.port, timeout=TIMEOUT_S)


def _usual_url(broker: BrokerAddress, host: str) -> str:
    scheme, port = ("https", TLS_PORT) if broker.is_tls else ("http", PORT)
    return f"{scheme}://{Endpoint(host, port)}"


def _login(at: SplitResult) -> tuple[str, str] | None:
    return (unquote(at.username), unquote(at.password or "guest")) if at.username else None


def _without_login(at: SplitResult) -> str:
    endpoint = Endpoint(at.hostname or "", at.port or (443 if at.scheme == "https" else 80))
    return f"{at.scheme}://{endpoint}{at.path.rstrip('/')}"
