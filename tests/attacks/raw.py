"""Sockets that say what no client would."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.awake import awake_clock
from tests.patience import AT_ALL_S

PROBE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back before the connection ended or the answer was whole."""

    status: int
    head: str
    body: str


def connect(url: str, *, timeout_s: float = AT_ALL_S) -> socket.socket:
    """Open a connection to the API at `url`."""
    at = urlsplit(url)
    assert at.hostname
    assert at.port
    return socket.create_connection((at.hostname, at.port), timeout_s)


@contextmanager
def connections(url: str, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open `count` connections that have said `said` and go on to say nothing."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(connect(url))
            if said:
                opened[-1].sendall(said)
        yield opened
    finally:
        for each in opened:
            each.close()


def answer(connection: socket.socket) -> Answer:
    """Read one answer."""
    with connection.makefile("rb") as stream:
        status = stream.readline()
        assert status, "the connection ended without an answer"
        head = b""
        while (line := stream.readline()) not in (b"\r\n", b""):
            head += line.lower()
        length = next(
            (int(each[15:]) for each in head.splitlines() if each.startswith(b"content-length:")), 0
        )
        return Answer(int(status.split()[1]), head.decode(), stream.read(length).decode())


def ask(url: str, request: bytes = PROBE) -> Answer:
    """Send `request` on a connection of its own, and read the answer."""
    with connect(url) as connection:
        connection.sendall(request)
        return answer(connection)


def send_until_ended(connection: socket.socket, start: bytes, more: bytes, max_bytes: int) -> int:
    """Send `start` and then `more` again and again; returns how many bytes were taken."""
    sent = 0
    try:
        connection.sendall(start)
        while sent < max_bytes:
            connection.sendall(more)
            sent += len(more)
    except OSError:
        pass
    return sent


def seconds_until_ended(connection: socket.socket) -> float:
    """Wait for the other side to end the connection."""
    with awake_clock() as awake:
        try:
            while connection.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        return awake.monotonic_s()
