"""Topics, and who is told about them, over the API."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from notifier.audience.topic import MAX_MEMBERS
from notifier.commands.answering import answering
from notifier.commands.calling import ActingFor, ApiClient, AtUrl
from notifier.commands.checking import json_of
from notifier.commands.showing import Answer, table, told
from notifier.errors import NotifierError, SettingsError

group = typer.Typer(help="Topics, and who is told about them.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The topic, such as news.weekly.")]
UserIds = Annotated[list[str], typer.Argument(help="User ids of the service.")]
Line: TypeAlias = tuple[int, Mapping[str, Any]]
"""Where it stands in its file, from 1, and the member that it names."""

_TOPIC = ("service", "key", "title", "updated_at")
_MEMBER = ("user_id", "properties")


class BadLinesError(NotifierError):
    """Raised when some lines of a file name no member."""


@group.command("list")
@answering
def list_topics(*, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """List the topics."""
    found = ApiClient.of_environment(url, service).pages("topics")
    return table(_TOPIC, [{name: each[name] for name in _TOPIC} for each in found])


@group.command("set")
@answering
def set_topic(
    key: Key,
    title: Annotated[str, typer.Argument(help="For people, not for programs.")],
    *,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Add a topic, or give it another title."""
    ApiClient.of_environment(url, service).put("topics", key, body={"title": title}, if_match=None)
    return told(f"There is {key}.", key=key, title=title)


@group.command()
@answering
def remove(key: Key, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Remove a topic, with its members."""
    ApiClient.of_environment(url, service).delete("topics", key)
    return told("It is gone.", key=key)


@group.command()
@answering
def members(key: Key, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """List who is told."""
    found = ApiClient.of_environment(url, service).pages("topics", key, "members")
    rows = [{**each, "properties": json.dumps(each["properties"])} for each in found]
    return table(_MEMBER, rows)


@group.command()
@answering
def add(key: Key, user_ids: UserIds, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Tell these as well. Safe to run again."""
    client = ApiClient.of_environment(url, service)
    lines = enumerate(({"user_id": each} for each in user_ids), 1)
    return _counted(_add(client, key, lines))


@group.command()
@answering
def drop(key: Key, user_ids: UserIds, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Tell these no more."""
    removed = _drop(ApiClient.of_environment(url, service), key, user_ids)
    return told(f"{removed} removed.", removed=removed)


@group.command("import")
@answering
def import_members(
    key: Key,
    file: Annotated[
        Path,
        typer.Argument(
            help="A member a line: NDJSON with user_id and properties, or CSV with a heading, "
            "whose other columns are properties.",
            exists=True,
            dir_okay=False,
        ),
    ],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Afterwards, remove whoever is not in the file.")
    ] = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Iterator[Answer]:
    """Tell everybody in a file as well. Safe to run again; nobody is removed if a line is wrong."""
    client = ApiClient.of_environment(url, service)
    named: set[str] = set()
    yield _counted(_add(client, key, _noted(_lines(file), named)))
    if replace:
        if not named:
            raise SettingsError(f"{file} names nobody; topics remove is for that")
        others = [
            each["user_id"]
            for each in client.pages("topics", key, "members")
            if each["user_id"] not in named
        ]
        removed = _drop(client, key, others)
        yield told(f"{removed} removed.", removed=removed)


def _lines(file: Path) -> Iterator[Line]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        is_csv = file.suffix.lower() == ".csv"
        try:
            yield from _of_csv(opened) if is_csv else _of_ndjson(opened)
        except (UnicodeDecodeError, csv.Error):
            kind = "CSV" if is_csv else "NDJSON"
            raise SettingsError(f"{file}: expected {kind} in UTF-8") from None


def _of_csv(lines: Iterable[str]) -> Iterator[Line]:
    reader = csv.DictReader(lines)
    if "user_id" not in (reader.fieldnames or ()):
        raise SettingsError("the first line of the file has to name a column user_id")
    for row in reader:
        properties = {name: value for name, value in row.items() if name and value}
        user_id = properties.pop("user_id", "")
        yield reader.line_num, {"user_id": user_id, "properties": properties or None}


def _of_ndjson(lines: Iterable[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        member = json_of(line, f"line {number} of the file is no JSON")
        yield number, member if isinstance(member, dict) else {"user_id": None}


def _noted(lines: Iterator[Line], named: set[str]) -> Iterator[Line]:
    for number, member in lines:
        named.add(str(member.get("user_id")))
        yield number, member


def _add(client: ApiClient, key: str, lines: Iterator[Line]) -> Mapping[str, int]:
    """Add members, so many a call.

    Raises:
        BadLinesError: some are none; the others are added.
    """
    count = {"added": 0, "updated": 0}
    wrong: list[str] = []
    while part := list(islice(lines, MAX_MEMBERS)):
        body = {"members": [member for _, member in part]}
        answer = client.put("topics", key, "members", body=body, if_match=None)
        for (number, _), item in zip(part, answer["items"], strict=True):
            wrong += [f"line {number}: {each['detail']}" for each in item["errors"]]
        count = {name: count[name] + answer[name] for name in count}
    if wrong:
        raise BadLinesError("; ".join([f"{count['added']} added", *wrong[:20]]))
    return count


def _counted(count: Mapping[str, int]) -> Answer:
    return told(f"{count['added']} added, {count['updated']} there already.", **count)


def _drop(client: ApiClient, key: str, user_ids: Sequence[str]) -> int:
    removed = 0
    for start in range(0, len(user_ids), MAX_MEMBERS):
        part = user_ids[start : start + MAX_MEMBERS]
        answer = client.delete("topics", key, "members", body={"user_ids": part})
        removed += answer["removed"]
    return removed
