"""Serving the application: the socket, the signals, the server's settings."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from notifier.errors import SettingsError
from notifier.gathering import GatheringTransport

_BACKLOG = 2_048
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def bind(host: str, port: int) -> Iterator[socket.socket]:
    """Open the listening socket; port 0 takes a free one.

    Raises:
        SettingsError: nobody can listen there, or somebody else does.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(
            f"NOTIFIER_HOST, NOTIFIER_PORT: cannot listen on {host}:{port}: {reason}"
        ) from error
    with listener:
        yield listener


async def serve(app: ASGIApp, listener: socket.socket, announce: Callable[[str], None]) -> None:
    """Serve `app` until SIGTERM or SIGINT, and return once it has stopped.

    `announce` is called with its URL when it answers.
    """
    await make_server(app, lambda: announce(_url(listener))).serve([listener])


def make_server(
    app: ASGIApp,
    on_ready: Callable[[], None],
    *,
    grace_s: int = 20,
    max_connections: int = 2_000,
    trusted_proxies: str = "127.0.0.1",
) -> uvicorn.Server:
    """Return a server for `app`; SIGTERM, SIGINT or setting `should_exit` stops it.

    At a stop requests get `grace_s` to end, streams are ended at once. Over `max_connections`
    the server itself answers 503. Forwarded client addresses are believed from
    `trusted_proxies` (comma-separated) only.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=_WholeAnswers,
        ws="none",
        lifespan="on",
        log_config=None,
        # The application writes one that holds no addresses.
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=trusted_proxies,
        limit_concurrency=max_connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=grace_s,
    )
    return _Server(config, on_ready)


class _WholeAnswers(HttpToolsProtocol):
    """uvicorn's protocol, but an answer's head and body reach the socket in one write.

    The second system call, and waking the client twice, cost as much as parsing the request.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, GatheringTransport(transport)))


class _Server(uvicorn.Server):
    """A server that says when it is ready, and that a signal ends but not the process.

    The original raises the signal anew once it has stopped, which would end the process before
    the workers inside it have drained.
    """

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    address = ip_address(host)
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004 - IPv4
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"  # noqa: PLR2004 - IPv6
