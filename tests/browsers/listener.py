"""A web server on loopback that counts who comes."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any

from tests.patience import AT_ALL_S
from tests.servers.processes import LOOPBACK

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"


class Listener(socketserver.ThreadingTCPServer):
    """Answers every request with an empty page, and knows of each connection and path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Visit)
        self.connections = 0
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Count a connection, whether or not anything is said on it."""
        del request, client_address
        self.connections += 1
        return True


class _Visit(socketserver.BaseRequestHandler):
    server: Listener
    request: socket

    def handle(self) -> None:
        self.request.settimeout(AT_ALL_S)
        with self.request.makefile("rb") as lines:
            for line in lines:
                if line.startswith((b"GET ", b"POST ")):
                    self.server.paths.append(line.split()[1].decode())
                if line == b"\r\n":
                    self.request.sendall(_ANSWER)


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen on a free port of loopback."""
    with Listener() as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()
