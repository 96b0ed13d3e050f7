"""Attachments over HTTP: uploaded, checked, shown, and taken back."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from notifier.content.attachment import CHUNK_BYTES, AttachmentLimits
from notifier.notification.model import Status
from tests.api import Api, serving
from tests.contract.store.test_attachments import content_of

ATTACHMENTS = "/api/v1/attachments"
PDF = b"%PDF-1.7 a ticket"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    limits = AttachmentLimits(max_bytes=1_000_000, max_mail_bytes=1_500_000)
    async with serving(tmp_path, attachments=limits) as it:
        yield it


async def upload(
    api: Api,
    content: bytes | AsyncIterator[bytes] = PDF,
    name: str = "ticket.pdf",
    type: str = "application/pdf",
    *,
    headers: dict[str, str] | None = None,
    **query: str,
) -> httpx2.Response:
    return await api.client.post(
        ATTACHMENTS,
        params={"name": name, **query},
        content=content,
        headers={"Content-Type": type, **(headers or {})},
    )


def details(answer: httpx2.Response) -> str:
    found: dict[str, Any] = answer.json()
    return " ".join([found["detail"], *(each["detail"] for each in found.get("errors", ()))])


async def test_an_upload_answers_with_what_is_known_of_the_file(api: Api) -> None:
    answer = await upload(api)

    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        "id": body["id"],
        "service": "orders",
        "name": "ticket.pdf",
        "type": "application/pdf",
        "size": len(PDF),
        "sha256": hashlib.sha256(PDF).hexdigest(),
    }
    assert answer.headers["location"] == f"{ATTACHMENTS}/{body['id']}"
    shown = await api.client.get(answer.headers["location"])
    assert (shown.status_code, shown.json()) == (200, body)


async def test_a_large_file_arrives_as_it_was_however_it_is_cut(api: Api) -> None:
    content = b"%PDF-" + bytes(range(251)) * 3_900

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 70_001):
            yield content[start : start + 70_001]

    answer = await upload(api, parts(), sha256=hashlib.sha256(content).hexdigest().upper())

    assert answer.status_code == 201, answer.text
    chunks = -(-len(content) // CHUNK_BYTES)
    assert await content_of(api.stores, UUID(answer.json()["id"]), chunks) == content


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\ada\\Rechnung Nr. 5.pdf", "Rechnung Nr. 5.pdf"),
        ("ti\x00ck\x1bet\x7f.pdf", "ticket.pdf"),
        ("a\r\nBcc: eve@example.org.pdf", "a Bcc: eve@example.org.pdf"),
        ("exe.\N{RIGHT-TO-LEFT OVERRIDE}fdp.pdf", "exe.fdp.pdf"),
        ("Grüße \N{PACKAGE}.PDF", "Grüße \N{PACKAGE}.PDF"),
        (".hidden.pdf", "hidden.pdf"),
    ],
)
async def test_a_name_is_cleaned_of_paths_and_of_what_nobody_sees(
    api: Api, name: str, kept: str
) -> None:
    answer = await upload(api, name=name)

    assert answer.status_code == (422 if "\x00" in name else 201)
    if answer.status_code == 201:
        assert answer.json()["name"] == kept


@pytest.mark.parametrize(
    ("name", "type", "content", "words"),
    [
        ("ticket.exe", "application/pdf", PDF, "ends with .pdf"),
        ("ticket", "application/pdf", PDF, "ends with .pdf"),
        ("ticket.pdf.exe", "application/pdf", PDF, "ends with .pdf"),
        ("..", "application/pdf", PDF, "ends with .pdf"),
        ("photo.pdf", "image/jpeg", b"\xff\xd8\xff", "ends with .jpg or .jpeg"),
        (f"{'a' * 150}.pdf", "application/pdf", PDF, "at most 150 characters"),
        ("a.pdf", "application/pdf", PNG, "begins otherwise"),
        ("a.png", "image/png", PDF, "begins otherwise"),
        ("a.txt", "text/plain", b"MZ\x90\x00", "begins otherwise"),
        ("a.txt", "text/plain", b"  <!DOCTYPE html><script>", "begins otherwise"),
        ("a.csv", "text/csv", b"a\0b", "begins otherwise"),
        ("a.ics", "text/calendar", b"<script>", "begins otherwise"),
        ("a.pdf", "application/pdf", b"", "begins otherwise"),
    ],
)
async def test_a_file_that_is_not_what_it_is_said_to_be_is_refused(
    api: Api, name: str, type: str, content: bytes, words: str
) -> None:
    answer = await upload(api, content, name, type)

    assert answer.status_code == 422
    assert words in details(answer)


@pytest.mark.parametrize(
    "type",
    [
        "text/html",
        "image/svg+xml",
        "application/javascript",
        "application/x-msdownload",
        "application/zip",
        "application/octet-stream",
        "",
    ],
)
async def test_kinds_that_programs_run_are_not_taken(api: Api, type: str) -> None:
    answer = await upload(api, type=type)

    assert answer.status_code == 415
    assert "application/pdf" in details(answer)


async def test_a_type_may_have_parameters_that_are_left_out(api: Api) -> None:
    answer = await upload(api, b"a;b", "a.csv", "Text/CSV; charset=utf-8; header=present")

    assert answer.json()["type"] == "text/csv"


async def test_a_content_of_another_hash_is_refused_and_not_kept(api: Api) -> None:
    answer = await upload(api, sha256="0" * 64)

    assert answer.status_code == 422
    assert hashlib.sha256(PDF).hexdigest() in details(answer)
    assert await _kept_chunks(api) == 0
    assert (await upload(api, sha256="xyz")).status_code == 422


@pytest.mark.parametrize("announced", [True, False])
async def test_a_file_that_is_too_large_is_refused_and_not_kept(
    api: Api, *, announced: bool
) -> None:
    content = b"%PDF-" + bytes(1_000_000)

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    answer = await upload(api, content if announced else parts())

    assert answer.status_code == 413
    assert "1000000" in details(answer)
    assert await _kept_chunks(api) == 0


async def test_a_file_that_takes_too_long_is_refused_and_not_kept(tmp_path: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"%PDF-" + bytes(2 * CHUNK_BYTES)
        await asyncio.Event().wait()

    async with serving(tmp_path, upload_timeout_s=0.2) as api:
        answer = await upload(api, parts())
        kept = await _kept_chunks(api)

    assert answer.status_code == 408
    assert kept == 0


async def test_a_compressed_file_is_refused(api: Api) -> None:
    answer = await upload(api, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 415


async def test_the_same_upload_with_the_same_key_is_one_attachment(api: Api) -> None:
    key = {"Idempotency-Key": "upload-1"}

    first, second = await upload(api, headers=key), await upload(api, headers=key)
    other = await upload(api, PDF + b"!", headers=key)

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert await _kept_chunks(api) == 1


async def test_a_file_is_its_services_alone(api: Api) -> None:
    place = (await upload(api)).headers["location"]
    theirs = await api.headers("payments", "send", "read")
    admins = await api.headers("ops", "admin")

    assert (await api.client.get(place, headers=theirs)).status_code == 404
    assert (await api.client.delete(place, headers=theirs)).status_code == 404
    assert (await api.client.get(place, headers=admins)).status_code == 200


async def test_uploading_and_removing_need_what_sending_needs(api: Api) -> None:
    place = (await upload(api)).headers["location"]
    reader = await api.headers("orders", "read")

    assert (await upload(api, headers=reader)).status_code == 403
    assert (await api.client.delete(place, headers=reader)).status_code == 403
    assert (await api.client.get(place, headers=reader)).status_code == 200


async def test_what_is_removed_is_gone(api: Api) -> None:
    place = (await upload(api)).headers["location"]

    assert (await api.client.delete(place)).status_code == 204
    assert (await api.client.get(place)).status_code == 404
    assert (await api.client.delete(place)).status_code == 404


async def test_a_service_that_keeps_uploading_and_sends_nothing_is_told_to_stop(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, attachments=AttachmentLimits(max_unused_bytes=20)) as api:
        answers = [await upload(api) for _ in range(3)]

    assert [each.status_code for each in answers] == [201, 201, 429]
    assert "retry-after" in answers[2].headers


async def test_uploads_of_one_service_beyond_its_turns_wait_unread(tmp_path: Path) -> None:
    goes_on = asyncio.Event()
    read = []

    async def slow(number: int) -> AsyncIterator[bytes]:
        read.append(number)
        yield b"%PDF-"
        await goes_on.wait()

    async with serving(tmp_path, uploads_at_once=2, upload_patience_s=30) as api:
        others = await api.headers("payments", "send")
        slow_ones = [asyncio.create_task(upload(api, slow(number))) for number in range(4)]
        # Each of these has had its turn by the time that it is answered.
        theirs = await upload(api, headers=others)
        sent = await api.send()
        begun = sorted(read)
        goes_on.set()
        answers = await asyncio.gather(*slow_ones)
        status = await api.stores.status(sent)

    assert theirs.status_code == 201
    assert status is Status.PENDING
    assert begun == [0, 1]
    assert {each.status_code for each in answers} == {201}


async def _kept_chunks(api: Api) -> int:
    async with api.stores.database._reader.connect() as connection:  # noqa: SLF001
        found = await connection.exec_driver_sql("SELECT count(*) FROM attachment_chunks")
        return int(found.scalar_one())
