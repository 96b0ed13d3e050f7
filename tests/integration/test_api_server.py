"""Listening, announcing and stopping."""

import asyncio
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from notifier.api.kit.door import DoorLimits
from notifier.api.kit.server import bind
from notifier.errors import SettingsError
from tests.api import listening, serving
from tests.attacks.raw import ask
from tests.patience import AT_ALL_S

_SERVE = """
import asyncio
from starlette.applications import Starlette
from notifier.api.kit.server import bind, serve

async def main():
    with bind("{host}", 0) as listener:
        await serve(Starlette(), listener, lambda url: print(url, flush=True))
        await asyncio.sleep(0)
        print("stopped", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0.0.0.0"],  # noqa: S104 - for a moment, and on a port that nobody knows
)
async def test_a_signal_ends_the_server_and_what_follows_still_runs(
    number: signal.Signals, host: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVE.format(host=host), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    async with asyncio.timeout(AT_ALL_S):
        url = (await process.stdout.readline()).decode()
        process.send_signal(number)
        rest = (await process.stdout.read()).decode()

        assert url.startswith("http://127.0.0.1:")
        assert rest == "stopped\n"
        assert await process.wait() == 0


async def test_a_client_that_reads_nothing_of_a_large_answer_is_ended() -> None:
    is_ended = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sending = asyncio.create_task(_send_for_ever(send))
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass
        sending.cancel()
        is_ended.set()

    async with listening(endless, DoorLimits(stall_s=0.2)) as (_, url):
        at = urlsplit(url)
        _, writer = await asyncio.open_connection(at.hostname, at.port, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.wait_for(is_ended.wait(), AT_ALL_S)
        writer.close()


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b"GET /" + b"a" * 9_000, 414, "url-too-long"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200, 431, "head-too-large"),
        (b"NONSENSE\r\n\r\n", 400, "malformed-request"),
    ],
)
async def test_who_comes_no_further_than_the_door_is_logged_and_counted(
    tmp_path: Path, said: bytes, status: int, code: str
) -> None:
    async with serving(tmp_path, has_metrics=True) as api, listening(api.app) as (_, url):
        with capture_logs() as lines:
            assert (await asyncio.to_thread(ask, url, said)).status == status
        counted = (await api.client.get("/metrics")).text

    assert [each for each in lines if each["event"] == "http.turned_away"] == [
        {"event": "http.turned_away", "log_level": "info", "status": status, "code": code}
    ]
    labels = f'method="other",route="none",status="{status}"'
    assert f"notifier_http_requests_total{{{labels}}} 1.0" in counted


async def _live(receive: Receive, send: Send) -> None:
    for word in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{word}.complete"})


async def _send_for_ever(send: Send) -> None:
    while True:
        await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
        await asyncio.sleep(0)


def test_a_taken_port_is_a_settings_fault_in_one_line() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]

        with (
            pytest.raises(SettingsError, match="NOTIFIER_PORT: cannot listen on") as caught,
            bind("127.0.0.1", port),
        ):
            pass
    assert "\n" not in str(caught.value)


def test_a_name_with_addresses_of_both_kinds_is_listened_on_where_everybody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = socket.SOCK_STREAM
    both = [
        (socket.AF_INET6, stream, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, stream, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: both)

    with bind("localhost", 0) as listener:
        assert listener.family is socket.AF_INET
