"""Serving the application: the socket, the signals, the server's settings."""

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from math import ceil
from typing import TypeAlias, cast

import structlog
import uvicorn
from starlette.types import ASGIApp

from notifier.api.kit.connection import Connection
from notifier.api.kit.door import Door, DoorLimits
from notifier.api.kit.problems import ProblemError
from notifier.errors import SettingsError

log = structlog.get_logger(__name__)

_BACKLOG = 2_048
_OTHER_FILES = 256
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

OnRefusal: TypeAlias = Callable[[ProblemError], None]


def _nothing(_error: ProblemError) -> None:
    """Do nothing."""


@contextmanager
def bind(host: str, port: int) -> Iterator[socket.socket]:
    """Open the listening socket; port 0 takes a free one.

    Raises:
        SettingsError: nobody can listen there, or somebody else does.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Of a name with both, as localhost may be, the address that everybody can reach.
        family, *_, address = min(found, key=lambda each: each[0] is not socket.AF_INET)
        listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(
            f"NOTIFIER_HOST, NOTIFIER_PORT: cannot listen on {host}:{port}: {reason}"
        ) from error
    with listener:
        yield listener


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    announce: Callable[[str], None],
    limits: DoorLimits | None = None,
    on_refusal: OnRefusal = _nothing,
) -> None:
    """Serve `app` until SIGTERM or SIGINT, and return once it has stopped.

    `announce` is called with its URL when it answers, `on_refusal` with what is answered to those
    who do not get as far as `app`.
    """
    limits = limits or DoorLimits()
    _make_room_for(limits)
    server = make_server(
        app, lambda: announce(_url(listener)), limits=limits, on_refusal=on_refusal
    )
    await server.serve([listener])


def _make_room_for(limits: DoorLimits) -> None:
    """Let this process open as many files as it may, if it needs them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = limits.max_connections + limits.spare_connections + _OTHER_FILES
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < needed:
        log.warning("api.few_files", files=wanted, needed=needed)


def make_server(
    app: ASGIApp,
    on_ready: Callable[[], None],
    *,
    grace_s: int = 20,
    limits: DoorLimits | None = None,
    on_refusal: OnRefusal = _nothing,
) -> uvicorn.Server:
    """Return a server for `app`; SIGTERM, SIGINT or setting `should_exit` stops it.

    At a stop requests get `grace_s` to end, streams are ended at once. Forwarded
    client addresses are believed from the limits' trusted proxies only.
    """
    limits = limits or DoorLimits()
    protocol = partial(Connection, door=Door(limits), on_refusal=on_refusal)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], protocol),
        ws="none",
        lifespan="on",
        log_config=None,
        # The application writes one that holds no addresses.
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=list(limits.trusted_proxies),
        # The protocol has limits of its own.
        limit_concurrency=None,
        timeout_keep_alive=ceil(limits.idle_s),
        timeout_graceful_shutdown=grace_s,
    )
    return _Server(config, on_ready)


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
