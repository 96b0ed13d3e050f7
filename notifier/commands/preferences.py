"""What people want, over the API: which categories over which channels, and when not."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from notifier.commands.answering import answering
from notifier.commands.calling import ActingFor, ApiClient, ApiError, AtUrl
from notifier.commands.hours import NONE, Hours, OnDays, hours_of
from notifier.commands.showing import Answer, table, told
from notifier.notification.model import Channel

group = typer.Typer(help="What people want, and when they are left in peace.", no_args_is_help=True)

UserId = Annotated[str, typer.Argument(help="The service's own id of somebody.")]

_PATH: Final = "preferences"
_ANY: Final = "*"
_SHOWN: Final = ("category", "channel", "is_on", "code", "says")


class Choice(StrEnum):
    """What somebody says of a category."""

    ON = "on"
    OFF = "off"
    DEFAULT = "default"


_WIRE: Final[Mapping[Choice, bool | None]] = {
    Choice.ON: True,
    Choice.OFF: False,
    Choice.DEFAULT: None,
}


@group.command("show")
@answering
def show_preferences(user_id: UserId, *, url: AtUrl = None, service: ActingFor = None) -> Answer:
    """Show what somebody gets of each category, and what says so."""
    found = ApiClient.of_environment(url, service).get("recipients", user_id, _PATH)
    if found is None:
        raise ApiError("there is nobody of this id")
    above = f"Quiet hours: {_hours(found)}, by the clocks of {found['time_zone']}."
    return table(_SHOWN, _rows(found["categories"]), above=above)


@group.command()
@answering
def choose(
    user_id: UserId,
    category: Annotated[str, typer.Argument(help="The category; * for all of them.")],
    choice: Annotated[
        Choice,
        typer.Argument(help="default takes a choice back: what the service declared counts."),
    ],
    *,
    channel: Annotated[Channel | None, typer.Option(help="Over this channel only.")] = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Say for somebody whether they want a category."""
    chosen = {str(channel or _ANY): _WIRE[choice]}
    _change(user_id, {"choices": {category: chosen}}, url, service)
    words = f"{category} is {choice} for {user_id}."
    return told(words, user_id=user_id, category=category, channel=channel, choice=choice)


@group.command("quiet-hours")
@answering
def set_quiet_hours(
    user_id: UserId,
    hours: Hours,
    *,
    on: OnDays = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> Answer:
    """Say when somebody is left in peace, by their clocks; with none, the service's hours count."""
    body = {"quiet_hours": hours_of(hours, on)}
    _change(user_id, body, url, service)
    return told(f"Quiet hours of {user_id}: {hours}.", user_id=user_id, **body)


def _change(user_id: str, body: Mapping[str, Any], url: str | None, service: str | None) -> None:
    ApiClient.of_environment(url, service).patch("recipients", user_id, _PATH, body=body)


def _hours(told: Mapping[str, Any]) -> str:
    own, of_service = told["quiet_hours"], told["service_quiet_hours"]
    counted = own or of_service
    if counted is None:
        return NONE
    whose = "their own" if own else "those of the service"
    return f"{counted['from']}-{counted['to']}, {whose}"


def _rows(categories: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, object]]:
    return [
        {
            "category": each["key"],
            "channel": channel,
            "is_on": state["is_on"],
            "code": state["code"],
            "says": state["detail"],
        }
        for each in categories
        for channel, state in each["channels"].items()
    ]
