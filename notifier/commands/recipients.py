"""The directory over the API: the people of a service."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from notifier.api.recipients.records import CSV, NDJSON, RawRecord, RecordSplitter
from notifier.commands.answering import answering
from notifier.commands.calling import (
    ActingFor,
    ApiClient,
    ApiError,
    AtUrl,
    OutageError,
    RefusedError,
)
from notifier.commands.checking import json_of
from notifier.commands.showing import Answer, document, table, told
from notifier.errors import NotifierError, SettingsError
from notifier.notification.model import Channel, Lane

group = typer.Typer(help="People: how to reach them, and how they are known.", no_args_is_help=True)

UserId = Annotated[str, typer.Argument(help="The service's own id of somebody.")]

_CONSULTED: Final = ("row", "says")
_SHOWN: Final = ("service", "user_id", "locale", "time_zone", "addresses")
_PIECE_BYTES: Final = 65_536
_PART_RECORDS: Final = 5_000
_PART_BYTES: Final = 4_000_000
_PATIENCE_S: Final = 300.0
_MOST_SHOWN: Final = 100


class BadRecordsError(NotifierError):
    """Raised when some records of a file are wrong; the others are there."""


@group.command("list")
@answering
def list_people(
    *,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Who has it, such as plan=pro; repeat for more.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="Who has this address.")] = None,
    channel: Annotated[str | None, typer.Option(help="Who can be reached over it.")] = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """List people, all or those who fit."""
    given = {"address": address, "channel": channel}
    filter = {name: value for name, value in given.items() if value} | _attributes(attribute or ())
    found = ApiClient.of_environment(url, service).pages("recipients", **filter)
    return table(_SHOWN, [_row(each) for each in found])


@group.command("show")
@answering
def show_person(user_id: UserId, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Show somebody, as JSON."""
    person = ApiClient.of_environment(url, service).get("recipients", user_id)
    if person is None:
        raise ApiError("there is nobody of this id")
    return document(person)


@group.command()
@answering
def put(
    user_id: UserId,
    file: Annotated[
        str, typer.Argument(help="What is said of them, as JSON; - for what is piped in.")
    ],
    *,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Add somebody, or put this in place of what is said of them."""
    client = ApiClient.of_environment(url, service)
    client.put("recipients", user_id, body=_document(file), if_match=None)
    return told(f"There is {user_id}.", user_id=user_id)


@group.command()
@answering
def delete(user_id: UserId, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Take somebody out, with all their ids."""
    ApiClient.of_environment(url, service).delete("recipients", user_id)
    return told("They are gone.", user_id=user_id)


@group.command()
@answering
def merge(
    user_id: UserId,
    from_id: Annotated[str, typer.Argument(help="Who turned out to be the same person.")],
    *,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Make one person of two: all that the second has is the first's. Safe to run again."""
    client = ApiClient.of_environment(url, service)
    client.post("recipients", user_id, "merge", body={"from": from_id})
    return told(f"{from_id} is {user_id}.", user_id=user_id, merged=from_id)


@group.command()
@answering
def explain(
    user_id: UserId,
    *,
    channel: Annotated[Channel, typer.Option(help="Over which channel.")],
    category: Annotated[str | None, typer.Option(help="Of which category.")] = None,
    template: Annotated[str | None, typer.Option(help="Or of a template's category.")] = None,
    at: Annotated[str | None, typer.Option(help="When, such as 2027-01-31T18:00:00Z.")] = None,
    priority: Annotated[Lane, typer.Option(help="How urgent it is.")] = Lane.NORMAL,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Say whether something would reach somebody, what decides that, and what was looked at."""
    asked = {"channel": channel, "category": category, "template": template, "at": at}
    body = {name: value for name, value in asked.items() if value} | {"priority": priority}
    client = ApiClient.of_environment(url, service)
    found = client.post("recipients", user_id, "explain", body=body)
    above = f"{found['decision']}: {found['detail']} ({found['row']})"
    return table(_CONSULTED, found["rows"], above=above)


@group.command("import")
@answering
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="NDJSON, or CSV with the columns user_id, locale, time_zone, email, sms, in_app "
            "and attribute.<name>.",
            exists=True,
            dir_okay=False,
        ),
    ],
    *,
    from_line: Annotated[int, typer.Option(min=1, help="Pass over what is before it.")] = 1,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Iterator[Answer]:
    """Put all people of a file. Goes on by itself after an outage, and is safe to run again."""
    client = ApiClient.of_environment(url, service)
    type = CSV if file.suffix.lower() == ".csv" else NDJSON
    count = _Count()
    for part in _parts(_records(file, type), type, from_line):
        try:
            count.add(part, _patiently(client, part, type))
        except RefusedError:
            raise
        except ApiError as error:
            raise ApiError(f"{error}; go on with --from-line {part.first_line}") from None
        yield count.told(part.last_line)
    if count.wrong:
        raise BadRecordsError("; ".join([f"{count.rejected} rejected", *count.wrong]))


@dataclass(frozen=True, slots=True)
class _Part:
    """Some records of a file that stand one behind the other."""

    heading: bytes
    records: Sequence[RawRecord]

    @property
    def first_line(self) -> int:
        return self.records[0].line

    @property
    def last_line(self) -> int:
        last = self.records[-1]
        return last.line + last.text.count(b"\n") - 1

    @property
    def content(self) -> bytes:
        return self.heading + b"".join(each.text for each in self.records)

    def line_in_file(self, line: int) -> int:
        """Return where a line of this part stands in the file."""
        return line - self.heading.count(b"\n") + self.first_line - 1


@dataclass(slots=True)
class _Count:
    """What became of the records so far."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, part: _Part, answer: Any) -> None:
        self.created += answer["created"]
        self.updated += answer["updated"]
        self.unchanged += answer["unchanged"]
        self.rejected += answer["rejected"]
        for each in answer["findings"][: _MOST_SHOWN - len(self.wrong)]:
            words = f"{each['pointer']} {each['detail']}".strip()
            self.wrong.append(f"line {part.line_in_file(each['line'])}: {words}")

    def told(self, line: int) -> Answer:
        words = (
            f"{self.created} created, {self.updated} updated, {self.unchanged} unchanged, "
            f"{self.rejected} rejected"
        )
        return told(
            f"Up to line {line}: {words}.",
            line=line,
            created=self.created,
            updated=self.updated,
            unchanged=self.unchanged,
            rejected=self.rejected,
        )


def _patiently(client: ApiClient, part: _Part, type: str) -> Any:
    """Send a part, again and again while the API is not to be had: whoever is there stays."""
    trying = Retrying(
        retry=retry_if_exception_type(OutageError),
        stop=stop_after_delay(_PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.2, max=10),
        reraise=True,
    )
    return trying(client.upload, "recipients", "import", content=part.content, type=type)


def _records(file: Path, type: str) -> Iterator[RawRecord]:
    splitter = RecordSplitter(type)
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield from splitter.feed(piece)
    yield from splitter.end()


def _parts(records: Iterator[RawRecord], type: str, from_line: int) -> Iterator[_Part]:
    heading = _heading(records) if type == CSV else b""
    part: list[RawRecord] = []
    size = 0
    for record in records:
        if record.line < from_line:
            continue
        if len(part) == _PART_RECORDS or size > _PART_BYTES:
            yield _Part(heading, part)
            part, size = [], 0
        part.append(record)
        size += len(record.text)
    if part:
        yield _Part(heading, part)


def _heading(records: Iterator[RawRecord]) -> bytes:
    return next((each.text for each in records if each.text.strip()), b"")


def _attributes(wanted: Sequence[str]) -> dict[str, str]:
    found = [each.partition("=") for each in wanted]
    if any(not sign for _, sign, _ in found):
        raise SettingsError("--attribute: expected a name and a value, such as plan=pro")
    return {f"attribute.{name}": value for name, _, value in found}


def _document(file: str) -> Any:
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    document = json_of(text, "that is no JSON")
    if not isinstance(document, dict):
        raise SettingsError("that is no JSON object")
    return document


def _row(person: dict[str, Any]) -> dict[str, Any]:
    addresses = [f"{each['channel']}:{each['address']}" for each in person["addresses"]]
    return {**{name: person[name] for name in _SHOWN}, "addresses": addresses}
