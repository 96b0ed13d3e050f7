"""What every private server needs: ports, and knowing when it is ready."""

import random
import socket
import time
from collections.abc import Callable

from tests.servers.errors import ServiceUnavailableError

LOOPBACK = "127.0.0.1"
# Below the range from which Linux picks ports for outgoing connections: a server that is killed and
# started again must find its port free.
_PORTS = range(20000, 32000)
_POLL_S = 0.05


def free_port() -> int:
    """Return a TCP port on which nothing listens, and that is for this process as long as it lives.

    Whoever asks in another process gets another one, also before a server listens on this one, or
    while it is killed and not yet started again.
    """
    for port in random.sample(_PORTS, 200):
        if is_free(port) and take(port):
            return port
    raise ServiceUnavailableError(f"No free TCP port between {_PORTS.start} and {_PORTS.stop}.")


def is_free(port: int) -> bool:
    """Whether nothing listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def take(port: int) -> bool:
    """Take a port, if nobody has; the system gives it back when this process ends, however it does.

    Who has UDP's port of that number has TCP's: no server of the tests wants the former.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as sign:
        try:
            sign.bind((LOOPBACK, port))
        except OSError:
            return False
        sign.detach()
    return True


def wait_until(ready: Callable[[], bool], *, timeout_s: float, what: str) -> None:
    """Poll until `ready` holds: servers announce themselves by answering, in no other way.

    Raises:
        TimeoutError: it did not within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} not within {timeout_s:.0f} s")
        time.sleep(_POLL_S)


def listens(host: str, port: int) -> bool:
    """Whether anything takes connections on this port."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def accepts(host: str, port: int, *, greeting: bytes, answer: bytes) -> bool:
    """Whether a server on this port answers the greeting with bytes that begin with `answer`."""
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(greeting)
            return connection.recv(len(answer)) == answer
    except OSError:
        return False
