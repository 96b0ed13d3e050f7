"""Reading a request's body: bounded while it arrives, and JSON that nothing later chokes on."""

import json
import math
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TypeAlias

import orjson
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from notifier.api.kit.door import network_of
from notifier.api.kit.headers import header
from notifier.api.kit.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    MALFORMED_JSON,
    TOO_COMPLEX,
    UNSUPPORTED_MEDIA_TYPE,
    InvalidField,
    ProblemError,
    invalid,
)
from notifier.api.kit.rooms import HELD_KEY, SERVICE_KEY, Held
from notifier.api.kit.waiting import within
from notifier.notification.model import JsonValue

MAX_DEPTH = 32

_MAX_EMPTY_BYTES = 1_024
_MAX_NAME = 200
_LONG_NUMBER = re.compile(rb"\d{19}")
_INT64 = range(-(2**63), 2**63)
_PARAMETERS = r'\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?'
_JSON_TYPE = re.compile(f"application/json{_PARAMETERS}", re.IGNORECASE)
_PATCH_TYPE = re.compile(f"application/(merge-patch\\+)?json{_PARAMETERS}", re.IGNORECASE)

Path: TypeAlias = tuple[str | int, ...]
_Container: TypeAlias = list[JsonValue] | dict[str, JsonValue]
_CONTAINERS = (list, dict)


def require_json(scope: Scope) -> None:
    """Refuse what is not declared as uncompressed JSON in UTF-8; a PATCH may be a merge patch.

    Raises:
        ProblemError: 415.
    """
    expected = _PATCH_TYPE if scope["method"] == "PATCH" else _JSON_TYPE
    if not expected.fullmatch(header(scope, b"content-type").strip()):
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, "Send Content-Type: application/json.")
    refuse_encoded(scope)


def require_media_type(scope: Scope, types: Collection[str]) -> None:
    """Refuse what is not declared as one of these media types, uncompressed.

    Raises:
        ProblemError: 415.
    """
    if header(scope, b"content-type").partition(";")[0].strip().lower() not in types:
        expected = " or ".join(types)
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"Send Content-Type: {expected}.")
    refuse_encoded(scope)


def refuse_encoded(scope: Scope) -> None:
    """Refuse a compressed body.

    Raises:
        ProblemError: 415.
    """
    if header(scope, b"content-encoding").strip().lower() not in ("", "identity"):
        raise ProblemError(
            UNSUPPORTED_MEDIA_TYPE,
            "Send the body without a Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


async def read_body(request: Request, *, max_bytes: int, timeout_s: float) -> bytes:
    """Read the whole body, counting while it arrives, whatever its headers claim.

    Raises:
        ProblemError: 413 over `max_bytes`, 408 after `timeout_s`.
    """
    refuse_announced_length(header(request.scope, b"content-length"), max_bytes)
    try:
        return await within(timeout_s, _read_counting(request, max_bytes))
    except TimeoutError as error:
        raise ProblemError(
            BODY_TIMEOUT, f"It took over {timeout_s:g} s.", headers={"Connection": "close"}
        ) from error
    except ClientDisconnect as error:
        raise ProblemError(MALFORMED_JSON, "The body ended early.") from error


async def read_empty_body(request: Request, *, timeout_s: float) -> bytes:
    """Read the body of a request that takes none; an empty JSON object passes.

    Raises:
        ProblemError: 422, there is something in it.
    """
    body = await read_body(request, max_bytes=_MAX_EMPTY_BYTES, timeout_s=timeout_s)
    if body.strip() not in (b"", b"{}"):
        raise invalid([InvalidField("", "this request takes no body")])
    return body


def parse_json(body: bytes, *, max_values: int) -> JsonValue:
    """Parse `body` as one JSON value of at most `max_values` values, `MAX_DEPTH` levels deep.

    A byte order mark before it is left out.

    Raises:
        ProblemError: 400 for anything else, lone surrogates, NaN and doubled keys included.
    """
    body = body.removeprefix(BOM_UTF8)
    if holds_more_than(body, max_values):
        raise _too_many_values(max_values)
    try:
        # The strict parser goes first: it bounds the depth for the one that sees doubled keys.
        value: JsonValue = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise ProblemError(MALFORMED_JSON, f"It is not valid JSON: {error}.") from error
    members = count_members(value, max_values)
    # Each member has a colon, so with no more colons than members none is doubled. Otherwise
    # some are in texts, or a name came twice: only the slow parser can tell.
    if body.count(b":") > members:
        json.loads(body.decode(), object_pairs_hook=_object)
    return value


def is_plainly_storable(value: JsonValue) -> bool:
    """Whether `unstorable` finds nothing, where that is quickly seen; False where it is not."""
    try:
        text = orjson.dumps(value)
    except TypeError:
        return False
    # What is infinite is written as null.
    return not (b"\\u0000" in text or b"null" in text or _LONG_NUMBER.search(text))


def unstorable(value: JsonValue, path: Path = ()) -> Iterator[InvalidField]:
    """Find what no database or later reader takes: NUL, and numbers beyond 64 bits."""
    match value:
        case str() if "\0" in value:
            yield InvalidField(pointer(path), "NUL characters are not allowed")
        case int() | float() if not _fits_64_bits(value):
            yield InvalidField(pointer(path), "expected a number of at most 64 bits")
        case list():
            for index, item in enumerate(value):
                yield from unstorable(item, (*path, index))
        case dict():
            yield from _unstorable_members(value, path)


def _fits_64_bits(number: float) -> bool:
    return number in _INT64 if isinstance(number, int) else not math.isinf(number)


def pointer(path: Path) -> str:
    """Return the JSON pointer (RFC 6901) of `path`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _unstorable_members(members: dict[str, JsonValue], path: Path) -> Iterator[InvalidField]:
    for name, value in members.items():
        if "\0" in name:
            yield InvalidField(pointer(path), "NUL characters are not allowed in names")
        yield from unstorable(value, (*path, name[:_MAX_NAME]))


def refuse_announced_length(announced: str, max_bytes: int) -> None:
    """Refuse what its Content-Length says is too large, before any of it is read.

    Raises:
        ProblemError: 413.
    """
    if announced.isdecimal() and len(announced) < 20 and int(announced) <= max_bytes:  # noqa: PLR2004 - 64 bits
        return
    if announced:
        raise body_too_large(max_bytes)


async def _read_counting(request: Request, max_bytes: int) -> bytes:
    scope = request.scope
    held: Held = scope[HELD_KEY]
    body = bytearray()
    is_whole = False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        if len(body) + len(part) > max_bytes:
            raise body_too_large(max_bytes)
        held.add(scope.get(SERVICE_KEY) or network_of(scope), len(part))
        body += part
        is_whole = not message.get("more_body", False)
    return bytes(body)


def body_too_large(max_bytes: int) -> ProblemError:
    """Return the problem of a body that is larger than this."""
    return ProblemError(
        BODY_TOO_LARGE, f"At most {max_bytes} bytes are taken.", headers={"Connection": "close"}
    )


def holds_more_than(body: bytes, max_values: int) -> bool:
    """Whether it is plain from its commas and brackets, before anything is made of it.

    A parsed value takes twenty times the bytes of a short one, and the time goes with it.
    """
    if not _has_more_marks(body, max_values):
        return False
    # Those in texts do not count. Without escapes a quotation mark begins or ends a text.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    if plain.count(b'"') > max_values * 4:
        return True
    return _has_more_marks(b"".join(plain.split(b'"')[::2]), max_values)


def _has_more_marks(text: bytes, max_values: int) -> bool:
    return text.count(b",") >= max_values or text.count(b"[") + text.count(b"{") > max_values


def _too_many_values(max_values: int) -> ProblemError:
    return ProblemError(TOO_COMPLEX, f"It holds more than {max_values} values.")


def count_members(value: JsonValue, max_values: int) -> int:
    """Return how many members all objects in `value` have.

    Raises:
        ProblemError: 400, it is nested too deep, or holds too many values.
    """
    level: list[_Container] = [value] if isinstance(value, list | dict) else []
    count, members, depth = 1, 0, 0
    while level:
        below: list[_Container] = []
        for parent in level:
            count += len(parent)
            members += len(parent) if isinstance(parent, dict) else 0
            children = parent.values() if isinstance(parent, dict) else parent
            below.extend(child for child in children if isinstance(child, _CONTAINERS))
        depth += 1
        if depth > MAX_DEPTH:
            raise ProblemError(TOO_COMPLEX, f"It is nested deeper than {MAX_DEPTH} levels.")
        if count > max_values:
            raise _too_many_values(max_values)
        level = below
    return members


def _object(pairs: list[tuple[str, JsonValue]]) -> JsonValue:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = Counter(name for name, _ in pairs)
        doubled = names.most_common(1)[0][0]
        raise ProblemError(MALFORMED_JSON, f"An object holds {doubled[:100]!r} twice.")
    return members
