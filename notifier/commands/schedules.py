"""Schedules: a template again and again, over the API."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from notifier.commands.answering import answering
from notifier.commands.calling import ActingFor, ApiClient, AtUrl
from notifier.commands.checking import variable_of
from notifier.commands.showing import Answer, alone, document, table, told
from notifier.errors import NotifierError, SettingsError
from notifier.notification.model import Channel, Lane
from notifier.schedules.schedule import CatchUp

group = typer.Typer(help="A template again and again.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The schedule's id.")]
Cron = Annotated[
    str | None, typer.Option(help="Five fields of cron, such as '30 9 * * 1'; or say --at.")
]
At = Annotated[str | None, typer.Option(help="Every day at this time, such as 09:30.")]
On = Annotated[
    list[str] | None, typer.Option(help="With --at: on this day of the week, such as mon.")
]
Zone = Annotated[
    str | None, typer.Option(help="The clocks to go by, such as Europe/Vienna, or recipient.")
]
User = Annotated[str | None, typer.Option(help="To somebody in the directory, by their id.")]
Recipient = Annotated[str | None, typer.Option(help="To an address.")]
Topic = Annotated[str | None, typer.Option(help="To all members of this topic.")]
Type = Annotated[
    Channel | None, typer.Option(help="The channel; needed if the template has several.")
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--variable", help="name=text, or name:=JSON; repeat for more."),
]
StartsAt = Annotated[
    str | None, typer.Option(help="Not before, such as 2027-01-31T18:00:00+01:00.")
]
EndsAt = Annotated[str | None, typer.Option(help="Not then, nor after.")]
SkipDates = Annotated[
    list[str] | None, typer.Option("--skip-date", help="Not on this day, such as 2027-12-24.")
]
CatchingUp = Annotated[
    CatchUp | None, typer.Option(help="What becomes of slots that nobody was there for.")
]
CatchUpWithin = Annotated[
    int | None, typer.Option(help="Seconds after which it is too late for that.")
]
Priority = Annotated[Lane | None, typer.Option(help="How urgent it is; bulk if not said.")]

_SCHEDULE = ("id", "service", "name", "explained", "to", "template", "next_at", "paused_at")
_RUN = ("slot", "zone", "kind", "outcome", "notification_id", "broadcast_id", "reason")
_MOST_LISTED = 200


class NoSuchScheduleError(NotifierError):
    """Raised when there is no schedule of an id."""


@group.command()
@answering
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    template: Annotated[str, typer.Argument(help="A published template.")],
    *,
    zone: Annotated[
        str, typer.Option(help="The clocks to go by, such as Europe/Vienna, or recipient.")
    ],
    cron: Cron = None,
    at: At = None,
    on: On = None,
    user: User = None,
    recipient: Recipient = None,
    topic: Topic = None,
    type: Type = None,
    variables: Variables = None,
    starts_at: StartsAt = None,
    ends_at: EndsAt = None,
    skip_dates: SkipDates = None,
    catch_up: CatchingUp = None,
    catch_up_within: CatchUpWithin = None,
    priority: Priority = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Add a schedule, and print its id, alone."""
    to = {"user_id": user, "recipient": recipient, "topic": topic, "type": type}
    body = {
        "name": name,
        "template": template,
        "zone": zone,
        "when": _when(cron, at, on),
        "to": _given(to),
        "variables": dict(map(variable_of, variables or ())),
        "skip_dates": skip_dates or [],
        **_given({"starts_at": starts_at, "ends_at": ends_at, "catch_up": catch_up}),
        **_given({"catch_up_within_s": catch_up_within, "priority": priority}),
    }
    answer = ApiClient.of_environment(url, service).post("schedules", body=body)
    return alone("id", answer["id"])


@group.command()
@answering
def change(
    id: Id,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    template: Annotated[str | None, typer.Option(help="Another template.")] = None,
    zone: Zone = None,
    cron: Cron = None,
    at: At = None,
    on: On = None,
    variables: Variables = None,
    starts_at: StartsAt = None,
    ends_at: EndsAt = None,
    skip_dates: SkipDates = None,
    catch_up: CatchingUp = None,
    catch_up_within: CatchUpWithin = None,
    priority: Priority = None,
    url: AtUrl = None,
) -> Answer:
    """Change what is said, and leave the rest as it is."""
    body = {
        "when": _when(cron, at, on) if cron or at or on else None,
        "variables": dict(map(variable_of, variables)) if variables else None,
        "skip_dates": skip_dates or None,
        "name": name,
        "template": template,
        "zone": zone,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "catch_up": catch_up,
        "catch_up_within_s": catch_up_within,
        "priority": priority,
    }
    if not (said := _given(body)):
        raise SettingsError("say what to change: see notifier schedules change --help")
    changed = ApiClient.of_environment(url, None).patch("schedules", id, body=said)
    return told("It is changed.", **changed)


@group.command("show")
@answering
def show_one(id: Id, *, url: AtUrl = None) -> Answer:
    """Show a schedule, as JSON."""
    return document(_found(id, url))


@group.command("list")
@answering
def list_schedules(*, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """List the newest schedules."""
    found = ApiClient.of_environment(url, service).pages("schedules")
    rows = [_row(each) for each in islice(found, _MOST_LISTED)]
    return table(_SCHEDULE, rows)


@group.command("next")
@answering
def show_next(
    id: Id,
    *,
    count: Annotated[int, typer.Option(help="How many.")] = 10,
    url: AtUrl = None,
) -> Answer:
    """Say when a schedule is due next, in words and by the clock."""
    schedule = _found(id, url)
    slots = ApiClient.of_environment(url, None).get("schedules", id, "next", count=str(count))
    items = slots["items"] if slots else []
    explained = schedule["explained"]
    value = {"explained": explained, "items": items}
    return Answer(value=value, words=[explained, *map(str, items)])


@group.command()
@answering
def runs(id: Id, *, url: AtUrl = None) -> Answer:
    """List what became of a schedule's last slots."""
    found = ApiClient.of_environment(url, None).pages("schedules", id, "runs")
    rows = [{name: each[name] for name in _RUN} for each in islice(found, _MOST_LISTED)]
    return table(_RUN, rows)


@group.command()
@answering
def pause(id: Id, *, url: AtUrl = None) -> Answer:
    """Let it be due no more."""
    paused = ApiClient.of_environment(url, None).post("schedules", id, "pause", body=None)
    return told("It is paused.", **paused)


@group.command()
@answering
def resume(id: Id, *, url: AtUrl = None) -> Answer:
    """Let it be due again, from now on."""
    answer = ApiClient.of_environment(url, None).post("schedules", id, "resume", body=None)
    return told(f"It is due next at {answer['next_at']}.", **answer)


@group.command("run-now")
@answering
def run_now(id: Id, *, url: AtUrl = None) -> Answer:
    """Send what it sends, now, and print the id of what was made, alone."""
    answer = ApiClient.of_environment(url, None).post("schedules", id, "run-now", body=None)
    return Answer(value=answer, words=[answer["notification_id"] or answer["broadcast_id"]])


@group.command()
@answering
def delete(id: Id, *, url: AtUrl = None) -> Answer:
    """Remove it with its runs; what was made of them is sent."""
    ApiClient.of_environment(url, None).delete("schedules", id)
    return told("It is gone.", id=id)


def _found(id: str, url: str | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = ApiClient.of_environment(url, None).get("schedules", id)
    if found is None:
        raise NoSuchScheduleError("there is no schedule of this id")
    return found


def _when(cron: str | None, at: str | None, on: Sequence[str] | None) -> Mapping[str, object]:
    if (cron is None) == (at is None):
        raise SettingsError("say when: --cron, or --at with any --on, one of them")
    if cron is not None:
        return _given({"cron": cron, "on": on or None})
    return {"every": "week", "on": list(on), "at": at} if on else {"every": "day", "at": at}


def _given(values: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _row(schedule: Mapping[str, Any]) -> Mapping[str, object]:
    to = schedule["to"]
    whom = to.get("user_id") or to.get("topic") or to.get("recipient")
    return {name: {**schedule, "to": f"{whom} ({to['type']})"}[name] for name in _SCHEDULE}
