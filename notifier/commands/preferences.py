"""What people want, over the API: which categories over which channels, and when not."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from notifier.commands.calling import ActingFor, ApiClient, ApiError, AtUrl
from notifier.commands.hours import NONE, Hours, OnDays, hours_of
from notifier.commands.showing import AsJson, Cell, say, show
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
def show_preferences(
    user_id: UserId, *, url: AtUrl = None, service: ActingFor = None, as_json: AsJson = False
) -> None:
    """Show what somebody gets of each category, and what says so."""
    told = ApiClient.of_environment(url, service).get("recipients", user_id, _PATH)
    if told is None:
        raise ApiError("there is nobody of this id")
    if not as_json:
        say(f"Quiet hours: {_hours(told)}, by the clocks of {told['time_zone']}.")
    show(_SHOWN, _rows(told["categories"]), as_json=as_json)


@group.command()
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
) -> None:
    """Say for somebody whether they want a category."""
    chosen = {str(channel or _ANY): _WIRE[choice]}
    _change(user_id, {"choices": {category: chosen}}, url, service)
    say(f"{category} is {choice} for {user_id}.")


@group.command("quiet-hours")
def set_quiet_hours(
    user_id: UserId,
    hours: Hours,
    *,
    on: OnDays = None,
    url: AtUrl = None,
    service: ActingFor = None,
) -> None:
    """Say when somebody is left in peace, by their clocks; with none, the service's hours count."""
    _change(user_id, {"quiet_hours": hours_of(hours, on)}, url, service)
    say(f"Quiet hours of {user_id}: {hours}.")


def _change(user_id: str, body: Mapping[str, Any], url: str | None, service: str | None) -> None:
    ApiClient.of_environment(url, service).patch("recipients", user_id, _PATH, body=body)


def _hours(told: Mapping[str, Any]) -> str:
    own, of_service = told["quiet_hours"], told["service_quiet_hours"]
    counted = own or of_service
    if counted is None:
        return NONE
    whose = "their own" if own else "those of the service"
    return f"{counted['from']}-{counted['to']}, {whose}"


def _rows(categories: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Cell]]:
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
