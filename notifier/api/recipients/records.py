"""Files of people: NDJSON or CSV, in pieces, a profile or what is wrong for each record."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from notifier.api.kit.body import parse_json
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, ProblemError
from notifier.api.recipients.shapes import MAX_VALUES, NamedRecipientRequest
from notifier.audience.person import Profile
from notifier.errors import NotifierError
from notifier.notification.model import Channel, JsonValue

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
MAX_RECORD_BYTES: Final = 64_000
_ATTRIBUTE: Final = "attribute."
_PLAIN: Final = ("user_id", "locale", "time_zone")
_COLUMNS: Final = f"{', '.join((*_PLAIN[1:], *Channel))} and {_ATTRIBUTE}<name>"
_BOM: Final = b"\xef\xbb\xbf"

Reading: TypeAlias = Profile | list[InvalidField]


class UnreadableFileError(NotifierError):
    """Raised where no record of a file can be told from the next; says in which line."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it stands in its file; `line` is where it begins, from 1."""

    line: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What one record says, or what is wrong with it."""

    line: int
    reading: Reading
    size: int
    """In bytes."""


class RecordSplitter:
    """Tells records apart as the pieces of a file come; keeps no more than one."""

    def __init__(self, type: str) -> None:
        self._is_csv = type == CSV
        self._rest = b""
        self._open = b""
        self._line = 0

    def feed(self, piece: bytes) -> Iterator[RawRecord]:
        """Yield the records that are whole with this piece, empty lines among them.

        Raises:
            UnreadableFileError: one is too long.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            yield from self._taken(line)
        self._check(self._open + self._rest)

    def end(self) -> Iterator[RawRecord]:
        """Yield what is left. Raises as `feed`."""
        if self._rest:
            yield from self._taken(self._rest)
        if self._open:
            yield self._whole(self._open)

    def _taken(self, line: bytes) -> Iterator[RawRecord]:
        self._line += 1
        text = self._open + line + b"\n"
        self._check(text)
        # A line's end within quotes is a part of the field.
        is_open = self._is_csv and text.count(b'"') % 2 == 1
        self._open = text if is_open else b""
        if not is_open:
            yield self._whole(text)

    def _whole(self, text: bytes) -> RawRecord:
        first = self._line - text.count(b"\n") + 1
        return RawRecord(first, text.removeprefix(_BOM) if first == 1 else text)

    def _check(self, text: bytes) -> None:
        if len(text) > MAX_RECORD_BYTES:
            raise UnreadableFileError(
                f"the record at line {self._line} is longer than {MAX_RECORD_BYTES} bytes"
            )


class RecordReader:
    """Reads what records say."""

    def __init__(self, type: str) -> None:
        self._splitter = RecordSplitter(type)
        self._is_csv = type == CSV
        self._columns: Sequence[str] | None = None

    def feed(self, piece: bytes) -> Iterator[Record]:
        """Yield what the records say that are whole with this piece.

        Raises:
            UnreadableFileError: one is too long, or a CSV does not say which columns it has.
        """
        for each in self._splitter.feed(piece):
            yield from self._read(each)

    def end(self) -> Iterator[Record]:
        """Yield what is left. Raises as `feed`."""
        for each in self._splitter.end():
            yield from self._read(each)

    def _read(self, raw: RawRecord) -> Iterator[Record]:
        if not raw.text.strip():
            return
        if not self._is_csv:
            yield Record(raw.line, _of_json(raw.text), len(raw.text))
        elif self._columns is None:
            self._columns = _columns(raw.text)
        else:
            yield Record(raw.line, _of_row(self._columns, raw.text), len(raw.text))


def _of_json(text: bytes) -> Reading:
    try:
        value = parse_json(text, max_values=MAX_VALUES)
    except ProblemError as error:
        return [InvalidField("", error.detail)]
    return _profile(value)


def _profile(value: JsonValue) -> Reading:
    read = read_strictly(NamedRecipientRequest, value)
    return read if isinstance(read, list) else read.named_profile()


def _columns(text: bytes) -> Sequence[str]:
    columns = [each.strip() for each in _cells(text) or ()]
    known = {*_PLAIN, *Channel}
    unknown = [each for each in columns if each not in known and not _attribute_of(each)]
    if "user_id" not in columns or unknown or len({*columns}) < len(columns):
        raise UnreadableFileError(
            "the first line has to name the columns, separated by commas, each once: user_id, and "
            f"any of {_COLUMNS}"
        )
    return columns


def _attribute_of(column: str) -> str:
    return column.removeprefix(_ATTRIBUTE) if column.startswith(_ATTRIBUTE) else ""


def _cells(text: bytes) -> list[str] | None:
    try:
        return next(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))
    except (ValueError, csv.Error):
        return None


def _of_row(columns: Sequence[str], text: bytes) -> Reading:
    cells = _cells(text)
    if cells is None:
        return [InvalidField("", "expected a row of CSV in UTF-8")]
    if len(cells) != len(columns):
        return [InvalidField("", f"expected {len(columns)} cells, there are {len(cells)}")]
    row = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    return _profile(_document(row))


def _document(row: Mapping[str, str]) -> JsonValue:
    addresses: list[JsonValue] = [
        {"channel": each.value, "address": row[each]} for each in Channel if each in row
    ]
    attributes: dict[str, JsonValue] = {
        name: cell for column, cell in row.items() if (name := _attribute_of(column))
    }
    plain: dict[str, JsonValue] = {name: row[name] for name in _PLAIN if name in row}
    return {**plain, "attributes": attributes, "addresses": addresses}
