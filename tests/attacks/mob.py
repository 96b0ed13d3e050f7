"""All attacks at once, as a process of its own: python -m tests.attacks.mob URL KEY SECONDS."""

import base64
import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable

from tests.attacks.raw import connect

_SILENT = 600
_PAUSE_S = 0.05
_HEAD = b"POST /api/v1/notifications/send HTTP/1.1\r\nHost: localhost\r\n"
_JSON = b"Content-Type: application/json\r\n"
_MIB = 1024 * 1024


def main(url: str, key: str, seconds: float) -> None:
    """Attack the API at `url` for so long, with the key of a service of one's own."""
    ends_at_s = time.monotonic() + seconds
    bearer = f"Authorization: Bearer {key}\r\n".encode()
    # Each writes what it likes into a connection of its own, again and again.
    attacks: list[Callable[[socket.socket], None]] = [
        _saying(b"GET /healthz HTTP/1.1\r\n" + b"X-Small: 1\r\n" * 20_000),
        _saying(b"GET /" + b"a" * (4 * _MIB)),
        _saying(_HEAD + b"\r\n"),
        _saying(_HEAD + b"Authorization: Bearer ntf_" + b"a" * 16 + b"_" + b"b" * 43 + b"\r\n\r\n"),
        _saying(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 16),
        _saying(_posting(bearer, b"[" + b"[]," * (300 * 1024) + b"[]]")),
        _saying(_posting(bearer, _many_wrong_fields())),
        _saying(_callback() + b"x" * 900_000),
        _saying(b"GET /api/v1/inbox/a/stream HTTP/1.1\r\nHost: a\r\n" + bearer + b"\r\n"),
        _saying(_from_the_start(bearer)),
        _saying(_marking(bearer) * 16),
        _saying(b"GET /api/v1/notifications HTTP/1.1\r\nHost: a\r\n" + bearer + b"\r\n"),
    ]
    _fill_an_inbox(url, bearer)
    silent = [_silent_connection(url, number) for number in range(_SILENT)]
    threads = [threading.Thread(target=_repeat, args=(url, each, ends_at_s)) for each in attacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in silent:
        each.close()


def _silent_connection(url: str, number: int) -> socket.socket:
    connection = connect(url)
    if number % 2:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Half: ")
    return connection


def _repeat(url: str, attack: Callable[[socket.socket], None], ends_at_s: float) -> None:
    kept: list[socket.socket] = []
    while time.monotonic() < ends_at_s:
        with contextlib.suppress(OSError):
            kept.append(connect(url, timeout_s=2))
            attack(kept[-1])
        if len(kept) > 20:
            kept.pop(0).close()
        time.sleep(_PAUSE_S)


def _saying(words: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(words)


def _posting(bearer: bytes, body: bytes) -> bytes:
    return _HEAD + bearer + _JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _from_the_start(bearer: bytes) -> bytes:
    begin = b"GET /api/v1/inbox/a/stream HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 0\r\n"
    return begin + bearer + b"\r\n"


def _marking(bearer: bytes) -> bytes:
    return b"POST /api/v1/inbox/a/read HTTP/1.1\r\nHost: a\r\n" + bearer + b"\r\n"


def _fill_an_inbox(url: str, bearer: bytes) -> None:
    item = {"type": "in_app", "recipient": "a", "content": "x" * 1_000, "priority": "bulk"}
    body = json.dumps({"notifications": [item] * 1_000}).encode()
    head = _HEAD.replace(b"/send", b"/batch") + bearer + _JSON
    with contextlib.closing(connect(url)) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(4_096).startswith(b"HTTP/1.1 202")


def _callback() -> bytes:
    signature = base64.b64encode(bytes(70)).decode()
    return (
        "POST /callbacks/sendgrid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
        f"X-Twilio-Email-Event-Webhook-Signature: {signature}\r\n"
        f"X-Twilio-Email-Event-Webhook-Timestamp: {int(time.time())}\r\n\r\n"
    ).encode()


def _many_wrong_fields() -> bytes:
    return json.dumps({f"unknown-{number}": number for number in range(9_000)}).encode()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
