"""Broadcasts: one template to many people, over the API."""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any

import typer

from notifier.commands.answering import answering
from notifier.commands.calling import ActingFor, ApiClient, AtUrl
from notifier.commands.checking import named, variable_of
from notifier.commands.showing import Answer, alone, document, table, told
from notifier.errors import NotifierError, SettingsError
from notifier.notification.model import Channel, Lane

group = typer.Typer(help="One template to many people.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The broadcast's id.")]

_BROADCAST = (
    "id", "service", "type", "template", "to", "state", "members", "accepted", "suppressed",
    "failed", "created_at",
)  # fmt: skip
_MOST_LISTED = 200


class NoSuchBroadcastError(NotifierError):
    """Raised when there is no broadcast of an id."""


@group.command()
@answering
def send(
    template: Annotated[
        str, typer.Argument(help="A published template: its name, or name@number.")
    ],
    type: Annotated[Channel, typer.Option(help="The channel.")],
    *,
    topic: Annotated[str | None, typer.Option(help="To all members of this topic.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="name=value: to those of the directory who have all of these."),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="To everybody in the directory.")
    ] = False,
    exclude: Annotated[list[str] | None, typer.Option(help="Not to this user id.")] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option("--variable", help="name=text, or name:=JSON; repeat for more."),
    ] = None,
    send_at: Annotated[
        str | None, typer.Option(help="Not before, such as 2027-01-31T18:00:00+01:00.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="At most so many in a second.")] = None,
    priority: Annotated[Lane, typer.Option(help="How urgent it is.")] = Lane.BULK,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing, and say what would come of it.")
    ] = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Send a template to many people, and print the broadcast's id, alone."""
    body = {
        "type": type.value,
        "template": _template(template),
        **_whom(topic, attribute, everybody=everybody),
        "exclude": exclude or [],
        "variables": dict(map(variable_of, variables or ())),
        "send_at": send_at,
        "rate_per_s": rate,
        "priority": priority.value,
        "dry_run": dry_run,
    }
    answer = ApiClient.of_environment(url, service).post("broadcasts", body=body)
    return document(answer) if dry_run else alone("id", answer["id"])


@group.command("show")
@answering
def show_one(id: Id, *, url: AtUrl = None) -> Answer:
    """Show how far a broadcast is, and what became of its members, as JSON."""
    found = ApiClient.of_environment(url, None).get("broadcasts", id)
    if found is None:
        raise NoSuchBroadcastError("there is no broadcast of this id")
    return document(found)


@group.command("list")
@answering
def list_broadcasts(*, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """List the newest broadcasts."""
    found = ApiClient.of_environment(url, service).pages("broadcasts")
    rows = [_row(each) for each in islice(found, _MOST_LISTED)]
    return table(_BROADCAST, rows)


@group.command()
@answering
def pause(id: Id, *, url: AtUrl = None) -> Answer:
    """Look at no more members for now; what was accepted is sent."""
    ApiClient.of_environment(url, None).post("broadcasts", id, "pause", body=None)
    return told("It is paused.", id=id, state="paused")


@group.command()
@answering
def resume(id: Id, *, url: AtUrl = None) -> Answer:
    """Go on where it was paused."""
    ApiClient.of_environment(url, None).post("broadcasts", id, "resume", body=None)
    return told("It goes on.", id=id, state="expanding")


@group.command()
@answering
def cancel(id: Id, *, url: AtUrl = None) -> Answer:
    """End it, and cancel what is not sent yet."""
    ApiClient.of_environment(url, None).post("broadcasts", id, "cancel", body=None)
    return told("It is cancelled.", id=id, state="cancelled")


def _template(text: str) -> object:
    name, at, number = text.partition("@")
    if not at:
        return name
    if not number.isdecimal():
        raise SettingsError("the template: expected a name, or name@number")
    return {"name": name, "version": int(number)}


def _whom(
    topic: str | None, attributes: list[str] | None, *, everybody: bool
) -> Mapping[str, object]:
    if sum((topic is not None, bool(attributes), everybody)) != 1:
        raise SettingsError("say to whom: --topic, --attribute or --all, one of them")
    if attributes:
        return {"filter": {"attributes": dict(named(each, "--attribute") for each in attributes)}}
    return {"topic": topic} if topic is not None else {"all": True}


def _row(broadcast: Mapping[str, Any]) -> Mapping[str, object]:
    counts = broadcast["counts"]
    found = {**broadcast, **counts, "suppressed": sum(counts["suppressed"].values())}
    to = broadcast["topic"] or broadcast["filter"] or "all"
    return {name: {**found, "to": str(to)}[name] for name in _BROADCAST}
