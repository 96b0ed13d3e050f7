"""Reading CloudEvents 1.0: what an event says, or all that is wrong with it."""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias
from urllib.parse import unquote

import orjson

from notifier.events.event import Event
from notifier.intake.draft import Flaw
from notifier.notification.model import JsonValue

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
MAX_EVENTS: Final = 1_000
MAX_DATA_BYTES: Final = 100_000
MAX_DEPTH: Final = 30
_VERSION: Final = "1.0"
_MAX_NAME: Final = 512
_MAX_EXTENSION: Final = 2_000
_HEADER: Final = "ce-"
_MAX_ATTRIBUTE: Final = 40
_ATTRIBUTE = re.compile(rf"[a-z0-9]{{1,{_MAX_ATTRIBUTE}}}", re.ASCII)
_ATTRIBUTE_NAMES: Final = (
    f"names of attributes have lower-case letters and digits alone, {_MAX_ATTRIBUTE} at most"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_JSON_TYPE = re.compile(
    r'application/([a-z0-9.+-]+\+)?json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE
)
_OWN = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data")
_OF_TRACES = ("traceparent", "tracestate")
_INT64 = range(-(2**63), 2**63)

_Attributes: TypeAlias = Mapping[str, JsonValue]


def read_structured(value: JsonValue, service: str) -> Event | list[Flaw]:
    """Read an event that is one JSON object, published by `service`."""
    if not isinstance(value, dict):
        return [Flaw("", "expected a JSON object, the event with its attributes and data")]
    flaws = list(_flaws(value))
    return flaws or _event(value, service)


def read_binary(headers: Mapping[str, str], data: JsonValue, service: str) -> Event | list[Flaw]:
    """Read an event whose attributes are the headers `ce-*`, in lower case, and its body data."""
    attributes: dict[str, JsonValue] = {
        name.removeprefix(_HEADER): _decoded(value)
        for name, value in headers.items()
        if name.startswith(_HEADER)
    }
    return read_structured({**attributes, "data": data}, service)


def is_binary(headers: Mapping[str, str], body: JsonValue) -> bool:
    """Whether the headers are an event's attributes, or some of those that it needs."""
    if f"{_HEADER}specversion" in headers or f"{_HEADER}id" in headers:
        return True
    is_whole = isinstance(body, dict) and "specversion" in body
    is_some = f"{_HEADER}source" in headers or f"{_HEADER}type" in headers
    return is_some and not is_whole


def _decoded(value: str) -> str:
    """Return a header as it was meant: its UTF-8 is percent-encoded."""
    return unquote(value, errors="replace")


def _event(said: _Attributes, service: str) -> Event:
    time, subject, traceparent = (said.get(each) for each in ("time", "subject", "traceparent"))
    is_trace = isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent)
    return Event(
        service=service,
        source=str(said["source"]),
        id=str(said["id"]),
        type=str(said["type"]),
        subject=None if subject is None else str(subject),
        time=None if time is None else _time(str(time)),
        data=said.get("data"),
        traceparent=str(traceparent) if is_trace else None,
        content_checksum=_checksum(said),
    )


def _checksum(said: _Attributes) -> str:
    """Return what tells one content from another, in whichever mode it came.

    A trace is of one attempt to publish it.
    """
    told = {
        name: value
        for name, value in said.items()
        if name not in (*_OF_TRACES, "datacontenttype") and value is not None
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _flaws(said: _Attributes) -> Iterator[Flaw]:
    if said.get("specversion") != _VERSION:
        yield Flaw("specversion", f"expected {_VERSION!r}")
    for name in ("id", "source", "type"):
        yield from _name_flaws(name, said.get(name))
    if said.get("subject") is not None:
        yield from _name_flaws("subject", said["subject"])
    if said.get("time") is not None and _time(said["time"]) is None:
        yield Flaw("time", "expected an RFC 3339 time, such as 2027-01-31T18:00:00+01:00")
    yield from _type_flaws(said)
    yield from _extension_flaws(said)
    if fault := _data_fault(said.get("data")):
        yield Flaw("data", fault)


def _name_flaws(name: str, value: JsonValue) -> Iterator[Flaw]:
    if not isinstance(value, str) or not value:
        yield Flaw(name, "expected a text that is not empty")
    elif len(value) > _MAX_NAME or _CONTROL.search(value) or not _is_unicode(value):
        yield Flaw(name, f"expected at most {_MAX_NAME} characters in one line")


def _type_flaws(said: _Attributes) -> Iterator[Flaw]:
    type = said.get("datacontenttype")
    if type is not None and not (isinstance(type, str) and _JSON_TYPE.fullmatch(type.strip())):
        yield Flaw("datacontenttype", "only JSON is taken: application/json, or leave it out")
    if "data_base64" in said:
        yield Flaw("data_base64", "only JSON is taken: put it into data")


def _extension_flaws(said: _Attributes) -> Iterator[Flaw]:
    for name, value in said.items():
        if name in (*_OWN, "data_base64"):
            continue
        if not _ATTRIBUTE.fullmatch(name):
            yield Flaw("", f"{_ATTRIBUTE_NAMES}: what else there is to say goes into data")
        elif not _is_simple(value):
            yield Flaw(name, f"expected a text of at most {_MAX_EXTENSION} characters, or a number")


def _is_simple(value: JsonValue) -> bool:
    match value:
        case str():
            return len(value) <= _MAX_EXTENSION and "\0" not in value and _is_unicode(value)
        case int():
            return value in _INT64
        case _:
            return value is None


def _data_fault(data: JsonValue) -> str | None:
    if fault := next(_value_faults(data), None):
        return fault
    return (
        None
        if len(orjson.dumps(data)) <= MAX_DATA_BYTES
        else (f"expected at most {MAX_DATA_BYTES} bytes of JSON")
    )


def _value_faults(data: JsonValue) -> Iterator[str]:
    """Find what no database or later reader takes."""
    level: list[JsonValue] = [data]
    for _ in range(MAX_DEPTH + 1):
        yield from filter(None, map(_value_fault, level))
        level = [below for value in level for below in _below(value)]
        if not level:
            return
    yield f"it is nested deeper than {MAX_DEPTH} levels"


def _value_fault(value: JsonValue) -> str | None:
    if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
        return "NUL characters and halves of surrogates are not allowed"
    if isinstance(value, int) and value not in _INT64:
        return "expected numbers of at most 64 bits"
    if isinstance(value, float) and not math.isfinite(value):
        return "expected numbers of at most 64 bits"
    return None


def _below(value: JsonValue) -> Iterable[JsonValue]:
    match value:
        case list():
            return value
        case dict():
            return [*value.keys(), *value.values()]
        case _:
            return ()


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def _time(value: JsonValue) -> datetime | None:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
