"""The short way through a body comes to what the long one does, and the usual ones take it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.api.kit.body import parse_json
from notifier.api.kit.checking import read_model
from notifier.api.kit.problems import ProblemError
from notifier.api.notifications.decoding import decode_batch, decode_notification
from notifier.api.notifications.requests import (
    MAX_BATCH_VALUES,
    MAX_SEND_VALUES,
    BatchFrame,
    NotificationRequest,
    Reading,
    read_notification,
)
from notifier.intake.draft import Draft

MAIL: Mapping[str, Any] = {
    "type": "email",
    "recipient": "anna@example.com",
    "subject": "Your order",
    "content": "It is on its way.",
}
ID = "0198f2a4-7c1e-7bb2-9d5e-3f0d6c1a2b3c"
USUAL: Mapping[str, Mapping[str, Any]] = {
    "mail": MAIL,
    "sms": {"type": "sms", "recipient": "+491701234567", "content": "Your code: 914 302"},
    "in_app": {"type": "in-app", "user_id": "user-42", "content": "Hi", "action_url": "/a:b"},
    "template": {"type": "email", "user_id": "42", "template": "order.shipped", "locale": "de-AT"},
    "version": {**MAIL, "template": {"name": "order.shipped", "version": 3}},
    "nested": {**MAIL, "variables": {"order": {"id": 42, "rows": [{"at": "12:30", "x": 1.5}] * 9}}},
    "nulls": {**MAIL, "user_id": None, "variables": {"a": None}, "send_at": None, "headers": None},
    "many": {**MAIL, "html": "{{ a }}" * 99, "variables": {f"name{n}": n for n in range(500)}},
    "times": {**MAIL, "send_at": "2027-01-31T18:00:00+01:00", "expires_at": "2027-02-01T00:00:00Z"},
    "mail's": {
        **MAIL,
        "from": "shop",
        "reply_to": "Help <help@shop.example>",
        "headers": {"List-Id": "<news.shop.example>"},
        "attachments": [{"id": ID}, {"id": ID.upper(), "inline": True}],
    },
    "wishes": {
        **MAIL,
        "priority": "bulk",
        "on_unknown": "hold",
        "sensitive": True,
        "literal": True,
        "sanitise": False,
        "category": "news",
        "metadata": {"order_id": "42", "a.b-c": ""},
    },
    "colons": {**MAIL, "content": 'Bonjour : "il":\n : est l\u00e0'},
}


def long_way(body: bytes) -> Reading | None:
    try:
        reading = read_notification(parse_json(body, max_values=MAX_SEND_VALUES))
    except ProblemError:
        return None
    return None if reading.errors else reading


def long_way_of_batches(body: bytes) -> list[Draft] | None:
    try:
        frame = read_model(BatchFrame, parse_json(body, max_values=MAX_BATCH_VALUES))
    except ProblemError:
        return None
    if isinstance(frame, list):
        return None
    readings = list(map(read_notification, frame.notifications))
    return None if any(each.errors for each in readings) else [each.draft for each in readings]


def agree(body: bytes) -> None:
    short, long = decode_notification(body), long_way(body)
    # Their texts tell 1, 1.0 and true from one another.
    assert short is None or repr(short) == repr(long)
    batch = b'{"notifications":[%b,%b]}' % (json.dumps(MAIL).encode(), body)
    readings = decode_batch(batch)
    if readings is not None:
        assert repr([each.draft for each in readings]) == repr(long_way_of_batches(batch))


@pytest.mark.parametrize("dumps", [json.dumps, lambda it: json.dumps(it, indent=1)])
@pytest.mark.parametrize("name", USUAL)
def test_what_is_usual_takes_the_short_way(name: str, dumps: Any) -> None:
    body = dumps(USUAL[name]).encode()

    assert repr(decode_notification(body)) == repr(long_way(body))
    assert long_way(body)
    batch = dumps({"notifications": [USUAL[name]] * 3}).encode()
    assert decode_batch(batch)
    agree(body)


def test_a_batch_of_a_thousand_takes_the_short_way() -> None:
    batch = json.dumps({"notifications": [*USUAL.values()] * 80}).encode()

    readings = decode_batch(batch)

    assert readings
    assert [each.draft for each in readings] == long_way_of_batches(batch)
    assert readings[7].path == ("notifications", 7)


TOKENS = (
    "null", "true", "false", "0", "1", "-0", "-0.0", "1.0", "1e2", "1E+2", "1e400", "-1e400",
    "1e-400", "01", "+1", ".5", "1.", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809", "18446744073709551616", "1" * 400, "NaN", "Infinity", "-Infinity",
    '""', '"a"', r'"\u0000"', r'"\\u0000"', r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d\ude00"',
    '"\u00e9"', '"\x7f"', '"\t"', r'"\/"', r'"\x"', "[]", "{}", '{"a":1}', '{"a":1,"a":1}',
    '{"a" : 1}', r'{"a":1,"\u0061":1}', '{"":{"":""}}', "[" * 30 + "]" * 30, "[" * 31 + "]" * 31,
    '{"name":"order.shipped","version":1.0}', '{"name":"order.shipped","version":true}',
    '{"name":"order.shipped","version":9223372036854775808}', '{"name":"order.shipped"}',
    f'"{ID}"', f'[{{"id":"{ID}"}}]', f'[{{"id":"{ID}","inline":null}}]', '[{"id":5}]',
    '[{"id":"x"}]', f'[{{"id":"{ID}","name":"x"}}]', '{"List-Id":""}', '{"a b":"c"}',
    '"2027-01-31T18:00:00+01:00"', '"2027-01-31T18:00:00"', '"2027-02-30T18:00:00Z"',
    '"high"', '"High"', '"resend"', '"email"', '"in-app"', '"de-AT"', '"de_AT"', '"a:b"',
    '"a\\":b"', '{"a":"b : c"}', '{"a\\u0000":1}', '{"x":9223372036854775808}',
)  # fmt: skip
NAMES = sorted(field.alias or name for name, field in NotificationRequest.model_fields.items())
MEMBERS = st.tuples(
    st.sampled_from([*NAMES, "colour", "Type", "from_"]),
    st.sampled_from(TOKENS) | st.text(max_size=5).map(json.dumps),
    st.sampled_from([":", ": ", " :", "\n:\t"]),
)


@given(
    st.lists(MEMBERS, max_size=3),
    st.sampled_from(sorted(USUAL)),
    st.sampled_from(["", " ", "\ufeff", "\x00", "x", ","]),
)
@example([("recipient", '"b@example.com"', ":")], "mail", "")
@example([("zzz", "[" * 5_000 + "]" * 5_000, ":")], "mail", "")
@example([("variables", '{"a":' * 5_000 + "1" + "}" * 5_000, ":")], "mail", "")
@example([("zzz", "1" * 5_000, ":")], "mail", "")
def test_the_short_way_comes_to_what_the_long_one_does(
    more: list[tuple[str, str, str]], usual: str, end: str
) -> None:
    names = {name for name, *_ in more}
    kept = {name: each for name, each in USUAL[usual].items() if name not in names}
    text = "".join(f',"{name}"{colon}{token}' for name, token, colon in more)

    agree(json.dumps(kept)[:-1].encode() + text.encode() + b"}" + end.encode())
    agree(json.dumps(USUAL[usual])[:-1].encode() + text.encode() + b"}" + end.encode())


@pytest.mark.parametrize("name", NAMES)
def test_each_field_may_be_anything(name: str) -> None:
    kept = {key: each for key, each in MAIL.items() if key != name}

    for token in TOKENS:
        agree(f'{json.dumps(kept)[:-1]},"{name}":{token}}}'.encode())


@given(st.integers(0, 200), st.binary(max_size=2))
def test_bytes_of_any_kind_within_a_body_are_judged_alike(place: int, junk: bytes) -> None:
    body = json.dumps(USUAL["wishes"]).encode()

    agree(body[:place] + junk + body[place:])
    agree(body[:place])


@pytest.mark.parametrize(
    "field",
    ["recipient", "category", "content", "subject", "html", "action_url", "from", "reply_to"],
)
def test_lengths_are_counted_alike(field: str) -> None:
    for size in (0, 1, 2, 3, 64, 65, 320, 321, 500, 501, 998, 999, 2_000, 2_001, 2_048, 2_049):
        agree(json.dumps({**MAIL, field: "\u00e9" * size}).encode())
    for size in (100_000, 100_001, 500_000, 500_001):
        agree(json.dumps({**MAIL, field: "e" * size}).encode())


@pytest.mark.parametrize("size", [19, 20, 21, 50, 51, 100, 101, 9_000, 10_001])
def test_members_are_counted_alike(size: int) -> None:
    texts = {f"X-{number}": "v" for number in range(size)}
    for field in ("metadata", "headers", "variables"):
        agree(json.dumps({**MAIL, field: texts}).encode())
    agree(json.dumps({**MAIL, "attachments": [{"id": ID}] * size}).encode())


@pytest.mark.parametrize("items", [0, 1, 1_000, 1_001])
def test_a_batch_has_as_many_items_either_way(items: int) -> None:
    batch = json.dumps({"notifications": [MAIL] * items}).encode()

    assert (decode_batch(batch) is None) == (long_way_of_batches(batch) is None)


@pytest.mark.parametrize(
    "batch",
    [
        b'{"notifications":[%b],"notifications":[%b]}',
        b'{"notifications":[%b],"notification\\u0073":[%b]}',
        b'{"notifications":[%b],"more":[%b]}',
        b'{"notifications":[%b,[%b]]}',
    ],
)
def test_what_is_no_batch_takes_the_long_way(batch: bytes) -> None:
    mail = json.dumps(MAIL).encode()

    assert decode_batch(batch % (mail, mail)) is None
