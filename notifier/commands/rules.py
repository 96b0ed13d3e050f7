"""Rules: as files of a team's repository, and on a server."""

import json
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from notifier.commands.answering import Steps, answering, finish
from notifier.commands.calling import (
    ActingFor,
    ApiClient,
    AtUrl,
    LostRaceError,
    RefusedError,
)
from notifier.commands.rule_files import MINE, THEIRS, RuleFolder
from notifier.commands.showing import (
    Answer,
    Aside,
    json_text,
    refused,
    table,
    told,
)
from notifier.errors import SettingsError
from notifier.events.rule import Rule
from notifier.events.rule_reading import read_rule
from notifier.rendering.expressions import ExpressionEngine

group = typer.Typer(help="Rules: as files, and on a server.", no_args_is_help=True)

InFolder = Annotated[Path, typer.Argument(help="The folder of the rules.", file_okay=False)]
Only = Annotated[list[str] | None, typer.Option("--only", help="Only this rule; repeat for more.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what was changed meanwhile.")]
Publish = Annotated[bool, typer.Option("--publish", help="Put in force what has no errors.")]
Name = Annotated[str, typer.Argument(help="The rule, such as order.shipped.")]
_NOTHING = dict.fromkeys(
    ("type", "send_at", "unless", "unless_event", "withheld", "subject", "text")
)
_REHEARSED = ("person", "outcome", "type", "send_at", "unless", "says", "reason")
_RULE = ("service", "name", "published", "updated_at")


@group.command("list")
@answering
def list_rules(*, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """List the rules, and which version of each is in force."""
    found = ApiClient.of_environment(url, service).pages("rules")
    return table(_RULE, [{name: each[name] for name in _RULE} for each in found])


@group.command("show")
@answering
def show_rule(name: Name, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Show a rule's draft, and what keeps it from being published; exit code 1 if anything does."""
    found = ApiClient.of_environment(url, service).get("rules", name, "draft")
    if found is None:
        raise SettingsError(f"there is no rule {name}")
    wrong = [Aside(f"{name}: {each['pointer']} {each['detail']}") for each in found["findings"]]
    return Answer(
        value={"rule": found["rule"], "findings": found["findings"]},
        words=[json_text(found["rule"]), *wrong],
        failing=typer.Exit(1) if wrong else None,
    )


@group.command()
@answering
def publish(name: Name, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Put a rule's draft in force."""
    done = ApiClient.of_environment(url, service).post("rules", name, "publish", body={})
    return _is_now(name, done["version"])


@group.command()
@answering
def rollback(
    name: Name,
    version: Annotated[int, typer.Argument(help="The version that is to be in force again.")],
    *,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Put an earlier version in force again, as the next one."""
    client = ApiClient.of_environment(url, service)
    done = client.post("rules", name, "rollback", body={"version": version})
    words = f"{name}: version {done['version']} is in force, which says what {version} does"
    return told(words, name=name, did="published", version=done["version"])


@group.command("dry-run")
@answering
def dry_run(
    name: Name,
    event: Annotated[
        Path,
        typer.Argument(help="A file with the event, a CloudEvent; - reads it.", allow_dash=True),
    ],
    *,
    version: Annotated[
        int | None, typer.Option(help="Of this version; without it, of the draft.")
    ] = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Say what a rule would make of an event, and send nothing."""
    body = {"event": _event(event), "version": version}
    found = ApiClient.of_environment(url, service).post("rules", name, "dry-run", body=body)
    rows = [row for match in found["matches"] for row in _rehearsed(match)]
    return table(_REHEARSED, rows)


@group.command()
@answering
def check(folder: InFolder = Path("rules"), only: Only = None) -> Iterator[Answer]:
    """Say what is wrong with a folder's rules, without a server; exit code 1 if anything is."""
    kept = RuleFolder(folder)
    names = _chosen(kept.names(), only)
    if not names:
        raise SettingsError(f"{folder}: there are no rules")
    return finish(_looked_at(kept, name) for name in names)


@group.command()
@answering
def pull(
    folder: InFolder = Path("rules"),
    only: Only = None,
    *,
    force: Force = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Iterator[Answer]:
    """Write the server's drafts into a folder. What was changed here is left alone."""
    client, kept = ApiClient.of_environment(url, service), RuleFolder(folder)
    names = _chosen([each["name"] for each in client.pages("rules")], only)
    folder.mkdir(parents=True, exist_ok=True)
    return finish(_pulled(client, kept, name, is_forced=force) for name in names)


@group.command()
@answering
def push(
    folder: InFolder = Path("rules"),
    only: Only = None,
    *,
    publish: Publish = False,
    force: Force = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Iterator[Answer]:
    """Write a folder's rules to the server, as drafts. What was changed there is left alone."""
    client, kept = ApiClient.of_environment(url, service), RuleFolder(folder)

    def one(name: str) -> Steps:
        document = yield from _read(kept, name)
        if document is None:
            return False
        saved = yield from _saved(client, kept, name, document, is_forced=force)
        if saved is None:
            return False
        return (yield from _in_force(client, name, saved, is_asked=publish))

    return finish(map(one, _chosen(kept.names(), only)))


def _event(file: Path) -> Any:
    """Return the event that a file holds.

    Raises:
        SettingsError: it is no JSON.
    """
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except ValueError:
        raise SettingsError(f"{file}: is no JSON") from None


def _rehearsed(match: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each notification, and one for a match that has none."""
    digest = match["digest"]
    told = [*match["notifications"], *(digest["notifications"] if digest else ())]
    for each in told or [_NOTHING]:
        event = each["unless_event"]
        yield {
            "person": match["person"],
            "outcome": match["outcome"],
            "type": each["type"],
            "send_at": each["send_at"] or (digest["due_at"] if digest else None),
            "unless": each["unless"] or event,
            "says": each["subject"] or each["text"],
            "reason": match["reason"] or each["withheld"] or (digest and digest["unfinished"]),
        }


def _pulled(client: ApiClient, kept: RuleFolder, name: str, *, is_forced: bool) -> Steps:
    place, there = _place(client), client.get("rules", name, "draft")
    if there is None:
        return True
    here, rule = kept.read(name), there["rule"]
    if here not in (None, rule) and not is_forced and not kept.is_agreed(place, name, here):
        yield refused(name, MINE)
        return False
    if here != rule:
        kept.write(name, rule)
        yield told(f"{name}: written", name=name, did="written")
    kept.agree(place, name, rule)
    return True


def _saved(
    client: ApiClient,
    kept: RuleFolder,
    name: str,
    document: Mapping[str, Any],
    *,
    is_forced: bool,
) -> Generator[Answer, None, Any]:
    """Write a draft, unless somebody changed the one that is there; None if it could not be."""
    place, there = _place(client), client.get("rules", name, "draft")
    if there is None or there["rule"] != document:
        may_be_lost = there is not None and not kept.is_agreed(place, name, there["rule"])
        if may_be_lost and not is_forced:
            yield refused(name, THEIRS)
            return None
        etag = there["etag"] if there else None
        there = yield from _tried(
            name, lambda: client.put("rules", name, "draft", body=document, if_match=etag)
        )
        if there is None:
            return None
        yield told(f"{name}: draft written", name=name, did="draft_written")
    kept.agree(place, name, document)
    return there


def _in_force(client: ApiClient, name: str, draft: Any, *, is_asked: bool) -> Steps:
    if not (yield from _told(name, draft["findings"])):
        return False
    if not is_asked or _is_in_force(client, name, draft):
        return True
    etag = draft["etag"]
    done = yield from _tried(
        name, lambda: client.post("rules", name, "publish", body={}, if_match=etag)
    )
    if done is None:
        return False
    yield _is_now(name, done["version"])
    return True


def _is_now(name: str, version: int) -> Answer:
    words = f"{name}: version {version} is in force"
    return told(words, name=name, did="published", version=version)


def _is_in_force(client: ApiClient, name: str, draft: Any) -> bool:
    versions = client.get("rules", name, "versions", limit="1")["items"]
    return bool(
        draft["published"]
        and versions
        and versions[0]["version"] == draft["published"]
        and versions[0]["rule"] == draft["rule"]
    )


def _looked_at(kept: RuleFolder, name: str) -> Steps:
    return (yield from _read(kept, name)) is not None


def _read(kept: RuleFolder, name: str) -> Generator[Answer, None, Mapping[str, Any] | None]:
    """Return a rule of a folder; None, and what is wrong with it told, if it is none."""
    document = kept.read(name)
    rule = read_rule(document, ExpressionEngine().fault)
    if not isinstance(rule, Rule):
        for flaw in rule:
            yield refused(str(kept.path(name)), f"/{'/'.join(map(str, flaw.path))} {flaw.words}")
        return None
    assert isinstance(document, dict)  # noqa: S101  a rule is one
    return document


def _tried(name: str, change: Callable[[], Any]) -> Generator[Answer, None, Any]:
    try:
        return change()
    except (LostRaceError, RefusedError) as error:
        yield refused(name, str(error))
        return None


def _told(name: str, findings: Sequence[Mapping[str, Any]]) -> Steps:
    for each in findings:
        yield refused(name, f"{each['pointer']} {each['detail']}")
    return not findings


def _place(client: ApiClient) -> str:
    return client.url + (f" {client.service}" if client.service else "")


def _chosen(names: Sequence[str], only: Sequence[str] | None) -> Sequence[str]:
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise SettingsError(f"there is no rule {unknown[0]}; there are {', '.join(names)}")
    return [each for each in names if only is None or each in only]
