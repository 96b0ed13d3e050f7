"""Events: what services published, and what came of it, over the API."""

import os
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from notifier.commands.answering import answering
from notifier.commands.calling import ActingFor, ApiClient, AtUrl
from notifier.commands.showing import Answer, document, table, told
from notifier.errors import NotifierError, SettingsError
from notifier.queue.rabbitmq import event_letters
from notifier.settings.groups import BrokerSettings

group = typer.Typer(help="What happened, and what came of it.", no_args_is_help=True)

_EVENT = ("id", "service", "type", "source", "event_id", "matched", "cancelled", "received_at")
_MOST_LISTED = 200


class NoSuchEventError(NotifierError):
    """Raised when there is no event of an id."""


@group.command()
@answering
def publish(
    file: Annotated[
        str, typer.Argument(help="A CloudEvent, or a list of them, as JSON; - reads them.")
    ],
    *,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Publish events, and print what became of them, as JSON."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        body = orjson.loads(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}: expected JSON ({type(error).__name__})") from None
    answer = ApiClient.of_environment(url, service).post("events", body=body)
    return document(answer)


@group.command("show")
@answering
def show_one(
    id: Annotated[str, typer.Argument(help="The id that it was given here.")], *, url: AtUrl = None
) -> Answer:
    """Show an event, which rules are for it, and what they made of it, as JSON."""
    found = ApiClient.of_environment(url, None).get("events", id)
    if found is None:
        raise NoSuchEventError("there is no event of this id; events are kept for some days")
    return document(found)


@group.command("list")
@answering
def list_events(
    *,
    type: Annotated[str | None, typer.Option(help="Of this type.")] = None,
    source: Annotated[str | None, typer.Option(help="From this source.")] = None,
    event_id: Annotated[str | None, typer.Option(help="With this id of its source's.")] = None,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Only those that no rule is carried out for.")
    ] = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """List the newest events."""
    asked = {"type": type, "source": source, "event_id": event_id}
    filter = {name: value for name, value in asked.items() if value is not None}
    if unmatched:
        filter["matched"] = "false"
    found = ApiClient.of_environment(url, service).pages("events", **filter)
    rows = [_row(each) for each in islice(found, _MOST_LISTED)]
    return table(_EVENT, rows)


@group.command("dead")
@answering
def list_dead(limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100) -> Answer:
    """List events from RabbitMQ that were refused, and why; needs NOTIFIER_BROKER_URL."""
    found = event_letters.refused_events(_broker_url(), limit=limit)
    rows: list[Mapping[str, object]] = [
        {"user": each.user, "bytes": each.bytes, "reason": each.reason} for each in found
    ]
    return table(("user", "bytes", "reason"), rows)


@group.command()
@answering
def replay(limit: Annotated[int, typer.Option(min=1, max=1_000_000)] = 1_000_000) -> Answer:
    """Take refused events once more, as after a mended setting; needs NOTIFIER_BROKER_URL."""
    replayed = event_letters.replay_events(_broker_url(), limit=limit)
    return told(f"Replayed {replayed}.", replayed=replayed)


def _broker_url() -> str:
    url = BrokerSettings.from_env(os.environ).broker_url.get_secret_value()
    if url.startswith("memory:"):
        raise SettingsError("NOTIFIER_BROKER_URL: memory:// has no broker with queues")
    return url


def _row(found: Mapping[str, Any]) -> Mapping[str, object]:
    event = found["event"]
    said = {"type": event["type"], "source": event["source"], "event_id": event["id"]}
    return {name: {**found, **said}[name] for name in _EVENT}
