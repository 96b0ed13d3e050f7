"""Files of people: every record is told from the next, wherever the pieces end."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.api.recipients.records import (
    CSV,
    MAX_RECORD_BYTES,
    NDJSON,
    RecordReader,
    UnreadableFileError,
)
from notifier.audience.person import Profile
from notifier.notification.model import Channel

SHEET = (
    "\N{ZERO WIDTH NO-BREAK SPACE}user_id,email,locale,attribute.plan,sms\r\n"
    'u-1,ada@example.org,de,"a ""big""\nplan",+49 170 1234567\r\n'
    "\r\n"
    "u-2,,,,\r\n"
    "u-3,no address,,,\r\n"
    "u-4,too,few\r\n"
    '"u\n5",,,,'
).encode()
LINES = (
    b'{"user_id": "u-1", "attributes": {"plan": "pro"}}\n'
    b"\n"
    b'{"user_id": "u-2", "locale": 7}\r\n'
    b"{no json}\n"
    b'\xff{"user_id": "u-3"}\n'
    b'{"user_id": "u-4"}'
)


def read(type: str, content: bytes, size: int = 1_000) -> list[tuple[int, object]]:
    reader = RecordReader(type)
    found = [
        record
        for start in range(0, len(content), size)
        for record in reader.feed(content[start : start + size])
    ]
    return [(each.line, each.reading) for each in [*found, *reader.end()]]


def told(readings: list[tuple[int, object]]) -> list[tuple[int, str]]:
    return [
        (line, each.user_id if isinstance(each, Profile) else each[0].where)  # type: ignore[index]
        for line, each in readings
    ]


@pytest.mark.parametrize("size", [1, 7, 64, 1_000])
def test_records_are_read_wherever_the_pieces_end(size: int) -> None:
    assert told(read(CSV, SHEET, size)) == [
        (2, "u-1"), (5, "u-2"), (6, "/addresses/0/address"), (7, ""), (8, "/user_id"),
    ]  # fmt: skip
    assert told(read(NDJSON, LINES, size)) == [
        (1, "u-1"), (3, "/locale"), (4, ""), (5, ""), (6, "u-4"),
    ]  # fmt: skip


def test_columns_are_addresses_and_attributes() -> None:
    ((_, first), (_, second), *_) = read(CSV, SHEET)

    assert isinstance(first, Profile)
    assert isinstance(second, Profile)
    assert first.attributes == {"plan": 'a "big"\nplan'}
    assert [(each.channel, each.address) for each in first.addresses] == [
        (Channel.EMAIL, "ada@example.org"),
        (Channel.SMS, "+491701234567"),
    ]
    assert (second.locale, second.attributes, second.addresses) == (None, {}, ())


@pytest.mark.parametrize(
    ("type", "content", "words"),
    [
        (CSV, b"id,email\nu-1,a@b.example\n", "user_id"),
        (CSV, b"user_id,phone\n", "columns"),
        (CSV, b"user_id,user_id\n", "once"),
        (CSV, b'user_id\n"' + b"\n" * (MAX_RECORD_BYTES + 1), "longer than"),
        (NDJSON, b"x" * (MAX_RECORD_BYTES + 1), "longer than"),
    ],
)
def test_a_file_whose_records_cannot_be_told_apart_is_refused(
    type: str, content: bytes, words: str
) -> None:
    with pytest.raises(UnreadableFileError, match=words):
        read(type, content, 4_096)


@given(st.binary(max_size=200), st.sampled_from([CSV, NDJSON]), st.integers(1, 50))
def test_no_bytes_break_the_reader(content: bytes, type: str, size: int) -> None:
    begin = b"user_id\n" if type == CSV else b""

    found = read(type, begin + content, size)

    assert found == read(type, begin + content)
    assert [line for line, _ in found] == sorted({line for line, _ in found})


def test_numbers_and_names_of_any_length_are_read_as_they_are_in_json() -> None:
    line = json.dumps({"user_id": "\N{PACKAGE}", "attributes": {"n": 1.5, "deep": [[1]]}})

    ((_, profile),) = read(NDJSON, line.encode())

    assert isinstance(profile, Profile)
    assert profile.attributes == {"n": 1.5, "deep": [[1]]}
