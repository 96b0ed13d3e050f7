"""Uploads that are large, many, slow, or never end."""

import re
import threading
from pathlib import Path

from tests.attacks.raw import answer, connect, connections, send_until_ended
from tests.e2e.client import MAIL
from tests.e2e.one_process import OneProcess

MIB = 1024 * 1024
UPLOADS = 16
LARGE = b"%PDF-" + bytes(9_900_000)
MOST_GROWTH_MIB = 50
"""All uploads together are 150 MiB."""


def head(attacked: OneProcess, size: int | None) -> bytes:
    length = b"Transfer-Encoding: chunked" if size is None else b"Content-Length: %d" % size
    return (
        b"POST /api/v1/attachments?name=a.pdf HTTP/1.1\r\nHost: localhost\r\n"
        b"Authorization: Bearer %b\r\nContent-Type: application/pdf\r\n%b\r\n\r\n"
        % (attacked.key.encode(), length)
    )


def test_many_large_uploads_at_once_take_no_more_memory_than_a_few_pieces(
    attacked: OneProcess,
) -> None:
    statuses: list[int] = []

    def upload() -> None:
        with connect(attacked.url) as connection:
            connection.sendall(head(attacked, len(LARGE)) + LARGE)
            statuses.append(answer(connection).status)

    before = _peak_mib(attacked.process.pid)
    threads = [threading.Thread(target=upload) for _ in range(UPLOADS)]
    for each in threads:
        each.start()
    assert attacked.service.send(MAIL)
    for each in threads:
        each.join()

    # Whoever waited too long for a turn is told so, and nothing of it was read.
    assert set(statuses) <= {201, 429}
    assert statuses.count(201) >= 4
    assert _peak_mib(attacked.process.pid) - before < MOST_GROWTH_MIB


def test_uploads_that_never_end_keep_nobody_from_sending(attacked: OneProcess) -> None:
    begun = head(attacked, len(LARGE)) + LARGE[: 2 * MIB]

    with connections(attacked.url, 12, begun):
        for _ in range(5):
            assert attacked.service.send(MAIL)


def test_an_endless_upload_is_refused_at_its_bound(attacked: OneProcess) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    start = head(attacked, None) + b"5\r\n%PDF-\r\n"

    with connect(attacked.url) as connection:
        taken = send_until_ended(connection, start, chunk, 200 * MIB)
    assert taken < 150 * MIB
    with connect(attacked.url) as connection:
        connection.sendall(start + chunk * 160)
        assert answer(connection).status == 413


def test_an_upload_of_single_bytes_is_no_way_around_the_bounds(attacked: OneProcess) -> None:
    drop = b"1;" + b"x" * 4_000 + b"\r\na\r\n"

    with connect(attacked.url) as connection:
        taken = send_until_ended(connection, head(attacked, None), drop, 100 * MIB)

    assert taken < 80 * MIB


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024
