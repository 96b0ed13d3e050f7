"""Bad input gets a clear answer: never a 500, never half an effect."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api import MAIL, PREFIX, Api, serving

SEND = f"{PREFIX}/send"
JSON = {"Content-Type": "application/json"}
NESTED = '{"a":' * 40 + "1" + "}" * 40


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


def mail(**raw: str) -> bytes:
    """Return a mail as JSON, fields replaced by raw JSON."""
    fields = {name: json.dumps(value) for name, value in MAIL.items()} | raw
    return ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}").encode()


BODIES = {
    "empty": (b"", 400),
    "cut off": (b'{"type":', 400),
    "not utf-8": (b'{"type":"\xff"}', 400),
    "bomb of brackets": (b"[" * 500_000, 400),
    "bomb of objects": (b'{"a":' * 150_000, 400),
    "too deep": (mail(variables=NESTED), 400),
    "too many values": (mail(variables="[" + "0," * 120_000 + "0]"), 400),
    "doubled key": (mail(content='"a","content":"b"'), 400),
    "NaN": (mail(variables='{"a":NaN}'), 400),
    "lone surrogate": (mail(content='"\\ud83d"'), 400),
    "lone surrogate in a variable": (mail(variables='{"a":["\\udead"]}'), 400),
    "endless number": (mail(variables='{"a":' + "9" * 5_000 + "}"), 400),
    "infinite number": (mail(variables='{"a":1e999}'), 422),
    "big number": (mail(variables='{"a":18446744073709551616}'), 422),
    "huge number in the template": (
        mail(variables='{"a":' + "9" * 4_300 + "}", content='"{{ a }}"'),
        422,
    ),
    "NUL": (mail(content='"a\\u0000b"'), 422),
    "NUL in a nested variable": (mail(variables='{"a":[{"b":"\\u0000"}]}'), 422),
    "NUL in a name": (mail(metadata='{"a\\u0000":"b"}'), 422),
    "NUL in the recipient": (mail(recipient='"a\\u0000@example.com"'), 422),
    "not an object": (b"[]", 422),
    "null": (b"null", 422),
    "status from outside": (mail(status='"sent"'), 422),
    "service from outside": (mail(service='"payments"'), 422),
    "injected header": (mail(subject='"Hi\\r\\nBcc: evil@example.com"'), 422),
    "encoded injection": (mail(variables='{"x":"\\r\\nBcc: e@x.io"}', subject='"{{ x }}"'), 422),
    "class of a variable": (mail(variables='{"a":"b"}', content='"{{ a.__class__ }}"'), 422),
    "expression": (mail(content='"{{ 9**9 }}"'), 422),
    "statement": (mail(content='"{{% for x in y %}}"'), 422),
    "time before all time": (mail(expires_at='"0001-01-01T00:00:00+14:00"'), 422),
    "time after all time": (mail(expires_at='"9999-12-31T23:59:59-14:00"'), 422),
    "recipient of 100 kB": (mail(recipient=json.dumps("a" * 100_000 + "@x.io")), 422),
    "text of 100,001": (mail(content=json.dumps("x" * 100_001)), 422),
    "10,000 unknown fields": (mail(**{f"x{n}": "1" for n in range(9_000)}), 422),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused(api: Api, name: str) -> None:
    body, status = BODIES[name]

    answer = await api.client.post(SEND, content=body, headers=JSON)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 50_000
    assert (await api.client.get("/api/v1/account")).json()["accepted"] == 0


async def test_a_bad_item_of_a_batch_is_refused_and_the_next_one_accepted(api: Api) -> None:
    statuses = {}
    for name, (body, _) in BODIES.items():
        content = b'{"notifications":[' + body + b"," + mail() + b"]}"
        answer = await api.client.post(f"{PREFIX}/batch", content=content, headers=JSON)
        items = [each["status"] for each in answer.json().get("items", ())]
        statuses[name] = (answer.status_code, items)

    accepted: tuple[int, list[str]] = (202, ["rejected", "pending"])
    refused: tuple[int, list[str]] = (400, [])
    assert statuses == {
        name: accepted if status == 422 else refused for name, (_, status) in BODIES.items()
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {**JSON, "Content-Encoding": "gzip"},
    ],
)
async def test_what_is_not_declared_as_plain_json_is_refused(
    api: Api, headers: dict[str, str]
) -> None:
    answer = await api.client.post(SEND, content=mail(), headers=headers)

    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported-media-type"


async def test_a_body_of_two_mebibytes_is_refused(api: Api) -> None:
    answer = await api.client.post(SEND, content=b"x" * 2**21, headers=JSON)

    assert answer.status_code == 413
    assert answer.json()["code"] == "body-too-large"


async def test_a_chunked_body_of_two_mebibytes_is_refused_before_its_end(api: Api) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(2**21 // 2**16):
            sent += 2**16
            yield b"x" * 2**16

    answer = await api.client.post(SEND, content=chunks(), headers=JSON)

    assert answer.status_code == 413
    assert sent < 2**21


async def test_a_batch_may_be_larger_than_one_notification(api: Api) -> None:
    body = {"notifications": [{**MAIL, "content": "x" * 90_000}] * 20}

    assert (await api.client.post(f"{PREFIX}/batch", json=body)).status_code == 202


async def test_an_unknown_path_and_method_are_problems_too(api: Api) -> None:
    unknown = await api.client.get("/api/v1/nothing")
    slash = await api.client.get(f"{PREFIX}/")
    method = await api.client.delete(SEND)
    options = await api.client.options(SEND)
    head = await api.client.head(PREFIX)

    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    assert slash.status_code == 404
    assert (method.status_code, method.json()["code"]) == (405, "method-not-allowed")
    assert method.headers["allow"] == options.headers["allow"] == "OPTIONS, POST"
    assert options.status_code == 204
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")


BAD_PATHS = (
    f"{PREFIX}/%00",
    f"{PREFIX}/..%2f..%2fetc",
    f"{PREFIX}/{uuid4()}%00",
    f"{PREFIX}?after=%ff%fe",
    f"{PREFIX}?recipient=%ed%a0%80",
    f"{PREFIX}?metadata.%00=1",
    f"{PREFIX}?metadata[a']=1",
    f"{PREFIX}?" + "&".join(f"metadata.k{n}=1" for n in range(21)),
    "/api/v1/inbox/%00",
    "/api/v1/inbox/a%0ab",
    "/api/v1/inbox/%ff",
    "/api/v1/inbox/" + "x" * 201,
    "/api/v1/inbox/bob?after=-1",
    "/api/v1/inbox/bob?after=9223372036854775808",
    "/api/v1/inbox/bob?unread=1",
    "/api/v1/sandbox/messages?after=x",
    "/api/v1/sandbox/messages?type=fax",
    "/static/..%2f..%2fkeys.py",
    "/static/%00",
)


async def test_a_bad_path_or_query_is_refused_or_finds_nothing(api: Api) -> None:
    for path in BAD_PATHS:
        answer = await api.client.get(path)

        assert answer.status_code in (200, 404, 422), path
        if answer.status_code == 200:
            assert answer.json()["items"] == []


@pytest.mark.parametrize(
    "bad",
    [
        {f"unknown-{number}": 1 for number in range(90)},
        {"metadata": {f"m{number}": {} for number in range(90)}},
        {"variables": {f"m{number}": "\0" for number in range(90)}},
        {"x" * 5_000: 1},
    ],
)
async def test_what_is_told_of_a_bad_batch_is_bounded_and_names_every_item(
    api: Api, bad: dict[str, object]
) -> None:
    batch = {"notifications": [{**MAIL, **bad} for _ in range(300)]}

    answer = await api.client.post(f"{PREFIX}/batch", json=batch)

    assert answer.status_code == 422
    assert len(answer.content) < 500_000
    items = answer.json()["items"]
    assert len(items) == 300
    assert all(each["errors"] for each in items)
