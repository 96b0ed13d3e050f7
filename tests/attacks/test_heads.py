"""Heads that are late, endless, or no heads at all."""

import json
import urllib.error
import urllib.request
from contextlib import ExitStack
from http import HTTPStatus

import pytest

from notifier.api.kit.door import DoorLimits
from tests.attacks.conftest import PER_ADDRESS
from tests.attacks.raw import (
    PROBE,
    answer,
    ask,
    connect,
    connections,
    seconds_until_ended,
    send_until_ended,
)
from tests.e2e.client import MAIL
from tests.e2e.one_process import OneProcess
from tests.patience import AT_ALL_S

START = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
MIB = 1024 * 1024


@pytest.mark.parametrize("said", [b"", b"GET", START, b"\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: a"])
def test_whoever_says_too_little_is_sent_away(attacked: OneProcess, said: bytes) -> None:
    with connections(attacked.url, 1, said) as (connection,):
        assert seconds_until_ended(connection) < DoorLimits().head_s


def test_a_head_that_trickles_ends_like_one_that_stops(attacked: OneProcess) -> None:
    with connect(attacked.url) as connection:
        connection.sendall(PROBE)
        assert answer(connection).status == 200
        connection.settimeout(0.2)
        received = b""
        for letter in (START + b"X-Long: " + b"a" * 100).decode():
            try:
                connection.sendall(letter.encode())
                received += connection.recv(65_536)
            except TimeoutError:
                continue
            break
        assert b"408" in received
        assert b"application/problem+json" in received


@pytest.mark.parametrize("said", [b"", START])
def test_many_silent_connections_keep_nobody_out(attacked: OneProcess, said: bytes) -> None:
    with connections(attacked.url, PER_ADDRESS * 3, said):
        for _ in range(5):
            assert ask(attacked.url).status == 200
            assert attacked.service.send(MAIL)


def test_where_all_places_are_at_work_probes_are_answered_and_others_told(
    attacked: OneProcess,
) -> None:
    with ExitStack() as busy:
        for number in range(PER_ADDRESS):
            stream = busy.enter_context(connect(attacked.url))
            stream.sendall(
                f"GET /api/v1/inbox/user-{number}/stream HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {attacked.key}\r\n\r\n".encode()
            )
            assert b"200 OK" in stream.recv(4_096)
        probed = ask(attacked.url)
        assert probed.status == 200
        assert "connection: close" in probed.head
        other = ask(attacked.url, b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert other.status == 503
        assert "retry-after" in other.head
        assert "connection: close" in other.head


@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        (START, b"X-Header: value\r\n" * 100, 431),
        (START, b"a: b\r\n" * 1_000, 431),
        (START + b"X-Endless: ", b"a" * 65_536, 431),
        (START, b"a" * 65_536, 431),
        (b"GET /", b"a" * 65_536, 414),
        (b"GET /?", b"a=b&" * 10_000, 414),
        (b"GET ", b"/" * 65_536, 414),
    ],
)
def test_an_endless_head_is_refused_before_it_is_kept(
    attacked: OneProcess, start: bytes, more: bytes, status: int
) -> None:
    with connect(attacked.url) as connection:
        connection.sendall(start + more)
        for _ in range(20):
            connection.sendall(more)
        refused = answer(connection)

    assert refused.status == status
    assert json.loads(refused.body)["status"] == status
    assert "application/problem+json" in refused.head
    assert "connection: close" in refused.head


@pytest.mark.parametrize(
    "body", [b"1;" + b"x" * 65_536, b"0\r\n" + b"X-Trailer: value\r\n" * 5_000, b"0" * 65_536]
)
def test_endless_chunk_extensions_and_trailers_are_not_read_for_ever(
    attacked: OneProcess, body: bytes
) -> None:
    start = START.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n"
    with connect(attacked.url) as connection:
        taken = send_until_ended(connection, start, body, 200 * MIB)

    assert taken < 150 * MIB


def test_what_comes_after_the_body_is_no_header(attacked: OneProcess) -> None:
    body = json.dumps(MAIL).encode()
    head = (
        b"POST /api/v1/notifications/send HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer %b\r\n\r\n" % attacked.key.encode()
    )
    trailer = b"0\r\nIdempotency-Key: late\r\n\r\n"
    sent = head + b"%x\r\n%b\r\n" % (len(body), body) + trailer

    answers = [ask(attacked.url, sent) for _ in range(2)]

    assert [each.status for each in answers] == [202, 202]
    assert not any("idempotency-replayed" in each.head for each in answers)


def test_a_whole_head_that_is_too_large_is_refused(attacked: OneProcess) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 700) for number in range(60))

    assert ask(attacked.url, START + headers + b"\r\n").status == 431


def test_a_head_of_the_largest_size_is_taken(attacked: OneProcess) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 300) for number in range(90))

    assert ask(attacked.url, START + headers + b"\r\n").status == 200
    assert (
        ask(attacked.url, START.replace(b"healthz", b"healthz?" + b"a" * 8_000) + b"\r\n").status
        == 200
    )


@pytest.mark.parametrize(
    "request_line",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET \xff HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_a_problem(attacked: OneProcess, request_line: bytes) -> None:
    refused = ask(attacked.url, request_line)

    assert refused.status == 400
    assert json.loads(refused.body)["code"] == "malformed-request"
    assert "connection: close" in refused.head


def test_a_flood_of_pipelined_requests_is_bounded_and_answered_in_order(
    attacked: OneProcess,
) -> None:
    with connect(attacked.url) as connection:
        connection.sendall(PROBE * 5)
        assert [answer(connection).status for _ in range(1)] == [200]
    with connect(attacked.url) as connection:
        connection.sendall(PROBE * 5_000)
        connection.settimeout(AT_ALL_S)
        received = b""
        try:
            while part := connection.recv(65_536):
                received += part
        except ConnectionResetError:
            pass
    assert 1 <= received.count(b"200 OK") < 100


@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB])
@pytest.mark.parametrize("status", [401, 413])
def test_a_client_that_sends_all_before_it_reads_sees_the_answer(
    attacked: OneProcess, size: int, status: int
) -> None:
    key = f"Bearer {attacked.key}" if status != HTTPStatus.UNAUTHORIZED else "none"
    request = urllib.request.Request(  # noqa: S310 - http, and ours
        f"{attacked.url}/api/v1/notifications/send",
        data=b" " * size,
        headers={"Content-Type": "application/json", "Authorization": key},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=AT_ALL_S)  # noqa: S310 - http, and ours

    with refused.value as it:
        assert it.code == status
        assert json.loads(it.read())["status"] == status
