import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic

from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.queue.message import (
    MAX_ATTEMPT,
    MAX_BODY_BYTES,
    TRACEPARENT,
    Malformed,
    decode,
    encode,
    headers,
    properties,
)

ID = "0199a3c1-5f6a-7c3e-9d2b-1a2b3c4d5e6f"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
GOOD: dict[str, object] = {"v": 1, "id": ID, "type": "email", "attempt": 0}

envelopes = st.builds(
    Envelope,
    id=st.uuids(),
    channel=st.sampled_from(Channel),
    lane=st.sampled_from(Lane),
    attempt=st.integers(0, MAX_ATTEMPT),
    traceparent=st.sampled_from([None, TRACE]),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
json_values = scalars | st.lists(scalars, max_size=3)


def read(body: bytes, traceparent: object = None) -> Envelope | Malformed:
    given_headers = {TRACEPARENT: traceparent}
    return decode(body, channel=Channel.EMAIL, lane=Lane.HIGH, headers=given_headers)


@given(envelopes)
def test_an_envelope_comes_back_as_it_was_encoded(envelope: Envelope) -> None:
    read_back = decode(
        encode(envelope), channel=envelope.channel, lane=envelope.lane, headers=headers(envelope)
    )

    assert read_back == envelope


def test_the_body_is_the_documented_json_and_nothing_else() -> None:
    envelope = Envelope(
        id=UUID(ID), channel=Channel.IN_APP, lane=Lane.BULK, attempt=3, traceparent=TRACE
    )

    assert json.loads(encode(envelope)) == {"v": 1, "id": ID, "type": "in_app", "attempt": 3}
    assert headers(envelope) == {"traceparent": TRACE}


def test_an_envelope_without_a_trace_has_no_headers() -> None:
    envelope = Envelope(id=UUID(ID), channel=Channel.SMS, lane=Lane.NORMAL, attempt=0)

    assert headers(envelope) == {}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_malformed(body: bytes) -> None:
    assert isinstance(read(body), Malformed)


@given(st.dictionaries(st.sampled_from(["v", "id", "type", "attempt", "x"]), json_values))
def test_any_json_object_is_an_envelope_or_malformed(fields: dict[str, object]) -> None:
    found = read(json.dumps(fields).encode("utf-8", "surrogatepass"))

    assert isinstance(found, Malformed | Envelope)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\x00\xff", "not JSON"),
        (b"{" * 100_000, "longer"),
        (b"[" * 4_000, "not JSON"),
        (b'{"v":1' + b" " * 16 * 1024 * 1024, "longer"),
        (b" " * (MAX_BODY_BYTES + 1), "longer"),
        (b"[]", "object"),
        (b"null", "object"),
        (b'{"v":1,"id":"\xed\xa0\x80"}', "not JSON"),
        (b'{"v":1,"id":"\\ud800"}', "not JSON"),
        (b"NaN", "not JSON"),
        (b"{}", "v is not"),
    ],
)
def test_bytes_that_are_no_envelope_say_why(body: bytes, reason: str) -> None:
    found = read(body)

    assert isinstance(found, Malformed)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "v is not"),
        ({"v": True}, "v is not"),
        ({"v": 1.0}, "v is not"),
        ({"v": "1"}, "v is not"),
        ({"id": None}, "id"),
        ({"id": 7}, "id"),
        ({"id": ID.replace("-", "")}, "id"),
        ({"id": "{" + ID + "}"}, "id"),
        ({"id": ID + "\n"}, "id"),
        ({"type": "sms"}, "type is not email"),
        ({"type": ["email"]}, "type is not email"),
        ({"attempt": True}, "attempt"),
        ({"attempt": -1}, "attempt"),
        ({"attempt": 0.0}, "attempt"),
        ({"attempt": "0"}, "attempt"),
        ({"attempt": MAX_ATTEMPT + 1}, "attempt"),
        ({"attempt": 10**400}, "not JSON"),
        ({"attempt": 10**30}, "attempt"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], reason: str) -> None:
    found = read(json.dumps(GOOD | change).encode())

    assert isinstance(found, Malformed)
    assert reason in found.reason


@pytest.mark.parametrize("field", GOOD)
def test_a_missing_field_is_malformed(field: str) -> None:
    fields = {name: value for name, value in GOOD.items() if name != field}

    assert isinstance(read(json.dumps(fields).encode()), Malformed)


def test_a_reason_never_repeats_what_the_message_holds() -> None:
    found = read(json.dumps(GOOD | {"id": "secret", "type": "secret"}).encode())

    assert isinstance(found, Malformed)
    assert "secret" not in found.reason


def test_fields_of_a_later_version_are_passed_over() -> None:
    found = read(json.dumps(GOOD | {"new": {"deep": [1]}}).encode())

    assert isinstance(found, Envelope)


@pytest.mark.parametrize("traceparent", [None, 7, b"x", "", "00-1-2-3", TRACE + "\n", {"a": 1}])
def test_a_traceparent_that_is_none_is_left_out(traceparent: object) -> None:
    found = read(json.dumps(GOOD).encode(), traceparent)

    assert isinstance(found, Envelope)
    assert found.traceparent is None


@given(envelopes, st.text("0123456789abcdef-", min_size=1, max_size=80), st.integers(0, 2**33))
def test_the_properties_are_those_that_the_library_would_encode(
    envelope: Envelope, message_id: str, sent_at_s: int
) -> None:
    encoded = properties(envelope, message_id=message_id, sent_at_s=sent_at_s)

    assert encoded == _by_the_library(envelope, message_id, sent_at_s).marshal()


def _by_the_library(envelope: Envelope, message_id: str, sent_at_s: int) -> Basic.Properties:
    return Basic.Properties(
        app_id="notifier",
        content_type="application/json",
        delivery_mode=2,
        headers={**headers(envelope)} or None,
        message_id=message_id,
        message_type="notification",
        timestamp=datetime.fromtimestamp(sent_at_s, UTC),
    )
