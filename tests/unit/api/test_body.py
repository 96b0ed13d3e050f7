"""Which bodies are JSON, and of which size."""

import asyncio
import json
import math
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Scope

from notifier.api.kit.body import (
    is_plainly_storable,
    parse_json,
    pointer,
    read_body,
    require_json,
    unstorable,
)
from notifier.api.kit.problems import MALFORMED_JSON, TOO_COMPLEX, Problem, ProblemError
from notifier.api.kit.rooms import HELD_KEY, Held, Room


def scope_with(headers: dict[str, str]) -> Scope:
    return {"type": "http", "method": "POST", "headers": Headers(headers).raw}


def refusal(body: bytes, problem: Problem = MALFORMED_JSON, max_values: int = 1_000) -> str:
    with pytest.raises(ProblemError) as caught:
        parse_json(body, max_values=max_values)
    assert caught.value.problem == problem
    return caught.value.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1}x',
        b"{'a':1}",
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"tab\there"',
        b"[" * 900,
        b'{"a":' * 900,
        b"9" * 5_000,
        '{"a":1}'.encode("utf-16"),
        b"\0",
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    assert "not valid JSON" in refusal(body)


def test_thirty_two_levels_are_the_most() -> None:
    parse_json(b"[" * 32 + b"]" * 32, max_values=100)

    assert "32 levels" in refusal(b"[" * 33 + b"]" * 33, TOO_COMPLEX)


def test_a_doubled_key_is_refused_and_named_at_any_depth() -> None:
    assert "'b'" in refusal(b'{"a":[{"b":1,"c":2,"b":3}]}')


@pytest.mark.parametrize(
    "body",
    [b'{"a":"12:30","b":{"c":"x:y"}}', b'{"a:b":1,"c":"::"}', b'{"a": [":", {"b": ":"}]}'],
)
def test_colons_in_texts_and_names_are_no_doubled_keys(body: bytes) -> None:
    assert parse_json(body, max_values=100) == json.loads(body)


def test_a_doubled_key_is_found_among_texts_with_colons() -> None:
    assert "'a'" in refusal(b'{"a":"::","b":":","a":""}')
    assert "'a'" in refusal(b'{"a":1,"\\u0061":1}')


def test_more_values_than_allowed_are_refused() -> None:
    parse_json(b"[1,2,3]", max_values=4)

    assert "4 values" in refusal(b"[1,2,3,4]", TOO_COMPLEX, max_values=4)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * 400_000 + b"[]]",
        b"[" + b"1," * 600_000 + b"1]",
        b"[" + b'"",' * 400_000 + b'""]',
        b"[" + b'"\\\\",' * 200_000 + b'""]',
        b"[" + b'"\\"",' * 200_000 + b'""]',
        b"{" + b",".join(b'"%d":{}' % number for number in range(100_000)) + b"}",
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
    ],
)
def test_far_too_many_values_are_refused_before_anything_is_made_of_them(body: bytes) -> None:
    tracemalloc.start()
    try:
        refusal(body, TOO_COMPLEX)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 3 * len(body)


@pytest.mark.parametrize("text", [",", "[", "{", '\\"', "\\\\", '\\",[{', "\\n,"])
def test_what_stands_in_a_text_is_no_value(text: str) -> None:
    body = f'{{"a":"{text * 5_000}","b":["{text}"]}}'.encode()

    assert parse_json(body, max_values=4) == json.loads(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_comes_out_as_it_went_in(value: object) -> None:
    assert parse_json(json.dumps(value).encode(), max_values=100) == value


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**65), 2**65)
        | st.floats(allow_nan=False)
        | st.text()
        | st.sampled_from(["\0", 2**63, 2**63 - 1, -(2**63) - 1, 2**64 - 1, math.inf]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_what_is_plainly_storable_is_storable(value: Any) -> None:
    assert not (is_plainly_storable(value) and list(unstorable(value)))


def test_a_usual_body_is_plainly_storable() -> None:
    assert is_plainly_storable({"recipient": "+491701234567", "metadata": {"n": 42, "x": 1.5}})


def test_a_pointer_escapes_what_would_split_it() -> None:
    assert pointer(("a/b", 0, "c~d")) == "/a~1b/0/c~0d"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_in_utf_8_is_taken(content_type: str) -> None:
    require_json(scope_with({"content-type": content_type}))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_anything_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ProblemError) as caught:
        require_json(scope_with(headers))

    assert caught.value.problem.status == 415


def request(chunks: Sequence[bytes], **headers: str) -> tuple[Request, list[bytes]]:
    """Return a request whose body comes in `chunks`, and what it has left of them."""
    left = list(chunks)

    async def receive() -> Message:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": raw}
    scope[HELD_KEY] = Held(Room(1_000))
    return Request(scope, receive), left


async def status_of(it: Request) -> int:
    with pytest.raises(ProblemError) as caught:
        await read_body(it, max_bytes=10, timeout_s=5)
    return caught.value.problem.status


async def test_a_body_is_read_across_its_chunks() -> None:
    it, _ = request([b"12345", b"", b"67890"])

    assert await read_body(it, max_bytes=10, timeout_s=5) == b"1234567890"


async def test_a_body_that_turns_out_too_long_is_refused_before_its_end() -> None:
    it, left = request([b"12345", b"678901", b"more", b"and more"])

    assert await status_of(it) == 413
    assert left == [b"more", b"and more"]


async def test_what_is_held_of_all_bodies_has_a_limit_and_is_let_go() -> None:
    room = Room(12)
    one, other = request([b"12345", b"678"])[0], request([b"12345"])[0]
    for it in (one, other):
        it.scope[HELD_KEY] = Held(room)

    assert await read_body(one, max_bytes=10, timeout_s=5) == b"12345678"
    assert await status_of(other) == 503

    one.scope[HELD_KEY].release()
    assert room.take("anybody", 12)


@pytest.mark.parametrize("length", ["11", "9" * 30, "-1", "x"])
async def test_a_body_announced_too_long_is_refused_unread(length: str) -> None:
    it, left = request([b"12345"], content_length=length)

    assert await status_of(it) == 413
    assert left == [b"12345"]


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    it = Request({**scope, HELD_KEY: Held(Room(1_000))}, receive)

    with pytest.raises(ProblemError) as caught:
        await read_body(it, max_bytes=10, timeout_s=0.01)
    assert caught.value.problem.status == 408


async def test_a_body_that_breaks_off_is_no_failure_of_ours() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    it = Request({**scope, HELD_KEY: Held(Room(1_000))}, receive)

    assert await status_of(it) == 400


async def test_a_body_longer_than_announced_is_refused() -> None:
    it, _ = request([b"12345678901"], content_length="5")

    assert await status_of(it) == 413


def test_a_byte_order_mark_before_the_json_is_left_out() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', max_values=10) == {"a": 1}
    assert refusal(b'{"a": \xef\xbb\xbf1}')
