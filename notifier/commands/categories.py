"""Categories, by which people choose what they get, over the API."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from notifier.audience.category import Kind
from notifier.commands.answering import answering
from notifier.commands.calling import ActingFor, ApiClient, AtUrl
from notifier.commands.hours import Hours, OnDays, hours_of
from notifier.commands.showing import Answer, table, told
from notifier.errors import SettingsError
from notifier.notification.model import Channel

group = typer.Typer(help="Categories, by which people choose.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The category, such as news.weekly.")]

_CATEGORY = ("service", "key", "kind", "can_switch_off", "titles", "off_by_default", "cap")


@group.command("list")
@answering
def list_categories(*, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """List the categories."""
    found = ApiClient.of_environment(url, service).pages("categories")
    return table(_CATEGORY, [_row(each) for each in found])


@group.command("set")
@answering
def set_category(
    key: Key,
    *,
    kind: Annotated[Kind, typer.Option(help="What it is to those who get it.")],
    title: Annotated[
        list[str] | None, typer.Option(help="What to call it, such as de=Neues; repeatable.")
    ] = None,
    off_by_default: Annotated[
        list[Channel] | None,
        typer.Option(help="A channel over which only who switches it on gets it; repeatable."),
    ] = None,
    cap: Annotated[
        str | None, typer.Option(help="How many somebody gets over a channel, such as 3/week.")
    ] = None,
    required: Annotated[
        bool, typer.Option("--required", help="Nobody can switch it off; for codes and the like.")
    ] = False,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Declare a category, or put it in the place of the one of this key."""
    body = {
        "kind": kind,
        "titles": _titles(title or ()),
        "defaults": {channel.value: False for channel in off_by_default or ()},
        "cap": _cap(cap) if cap else None,
        "can_switch_off": not required,
    }
    ApiClient.of_environment(url, service).put("categories", key, body=body, if_match=None)
    return told(f"There is {key}.", key=key)


@group.command()
@answering
def remove(key: Key, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Let nobody choose by it any more. What people chose of it is kept."""
    ApiClient.of_environment(url, service).delete("categories", key)
    return told("It is gone.", key=key)


@group.command("quiet-hours")
@answering
def set_quiet_hours(
    hours: Hours, *, on: OnDays = None, url: AtUrl = None, service: ActingFor = None
) -> Answer:
    """Say when a service leaves people in peace who did not choose for themselves."""
    body = {"quiet_hours": hours_of(hours, on)}
    ApiClient.of_environment(url, service).put("quiet-hours", body=body, if_match=None)
    return told(f"Quiet hours: {hours}.", **body)


def _titles(given: Sequence[str]) -> Mapping[str, str]:
    named = [each.partition("=") for each in given]
    if any(not sign for _, sign, _ in named):
        raise SettingsError("--title: expected a language and what to call it, such as de=Neues")
    return {locale: title for locale, _, title in named}


def _cap(given: str) -> Mapping[str, object]:
    limit, slash, per = given.partition("/")
    if not slash or not (limit.isascii() and limit.isdigit()):
        raise SettingsError("--cap: expected a number and hour, day or week, such as 3/week")
    return {"limit": int(limit), "per": per}


def _row(category: Mapping[str, Any]) -> Mapping[str, object]:
    cap = category["cap"]
    return {
        **{name: category[name] for name in ("service", "key", "kind", "can_switch_off")},
        "titles": [f"{locale}={title}" for locale, title in category["titles"].items()],
        "off_by_default": [name for name, is_on in category["defaults"].items() if not is_on],
        "cap": f"{cap['limit']}/{cap['per']}" if cap else None,
    }
