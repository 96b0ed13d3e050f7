"""What the endpoints for schedules are declared as."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from notifier.api.kit.operations import Operation, Reply, Serve
from notifier.api.kit.preconditions import IF_MATCH
from notifier.api.kit.problems import (
    BUSY,
    INVALID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    InvalidField,
    Problem,
)
from notifier.api.schedules.shapes import (
    RunsQuery,
    ScheduleQuery,
    ScheduleRequest,
    SchedulesQuery,
    UpcomingQuery,
)
from notifier.api.schedules.views import (
    AddedScheduleView,
    MadeView,
    RunsView,
    SchedulesView,
    ScheduleView,
    UpcomingView,
)
from notifier.notification.model import JsonValue

PREFIX = "/api/v1/schedules"

_ONE = f"{PREFIX}/{{id:uuid}}"
_MAX_VALUES = 20_000
_SCHEDULE = Reply(description="The schedule", model=ScheduleView, headers=("ETag",))
_OF_ALL: dict[str, Any] = {"tag": "Schedules", "scope": "schedules"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What serves each of them."""

    add: Serve
    show_page: Serve
    show: Serve
    change: Serve
    remove: Serve
    pause: Serve
    resume: Serve
    run_now: Serve
    show_next: Serve
    show_runs: Serve


def declared(by: Declared) -> Sequence[Operation]:
    """Declare the endpoints."""
    return (
        _adding(by.add),
        _listing(by.show_page),
        _showing(by.show),
        _changing(by.change),
        _removing(by.remove),
        _moving("pause", by.pause, "Let a schedule be due no more", ""),
        _moving(
            "resume",
            by.resume,
            "Let a schedule be due again",
            "From now on: what would have been due while it was paused is not made up for. 422 if "
            "nothing would come of it, as when its template is archived.",
            INVALID,
        ),
        _running(by.run_now),
        _showing_next(by.show_next),
        _showing_runs(by.show_runs),
    )


def _adding(serve: Serve) -> Operation:
    return Operation(
        id="addSchedule",
        method="POST",
        path=PREFIX,
        summary="Send a template again and again",
        description="To a person, an address or the members of a topic, at times of the day. Each "
        "slot fires once. What the template lacks is said here, as it is published now.",
        serve=serve,
        query=ScheduleQuery,
        body=ScheduleRequest,
        max_values=_MAX_VALUES,
        is_idempotent=True,
        replies={
            201: Reply(description="Added", model=AddedScheduleView, headers=("Location", "ETag")),
        },
        **_OF_ALL,
    )


def _listing(serve: Serve) -> Operation:
    return Operation(
        id="listSchedules",
        method="GET",
        path=PREFIX,
        summary="List schedules, the newest first",
        description="Of the key's service; with the scope admin of all, or of `service`.",
        serve=serve,
        query=SchedulesQuery,
        replies={200: Reply(description="One page", model=SchedulesView)},
        **_OF_ALL,
    )


def _showing(serve: Serve) -> Operation:
    return Operation(
        id="getSchedule",
        method="GET",
        path=_ONE,
        summary="A schedule, and when it is due next",
        serve=serve,
        replies={200: _SCHEDULE},
        problems=(NOT_FOUND,),
        **_OF_ALL,
    )


def _changing(serve: Serve) -> Operation:
    return Operation(
        id="changeSchedule",
        method="PATCH",
        path=_ONE,
        summary="Change a part of a schedule",
        description="JSON Merge Patch (RFC 7396): null takes a member away, a list replaces the "
        "list, and `when` and `to` are replaced as a whole. Where it is due at other times then, "
        "these count from now on.",
        serve=serve,
        body=ScheduleRequest,
        check=_read_patch,
        max_values=_MAX_VALUES,
        headers=(IF_MATCH,),
        replies={200: _SCHEDULE},
        problems=(NOT_FOUND, PRECONDITION_FAILED, BUSY),
        **_OF_ALL,
    )


def _removing(serve: Serve) -> Operation:
    return Operation(
        id="removeSchedule",
        method="DELETE",
        path=_ONE,
        summary="Remove a schedule",
        description="With its runs. What was made of them is sent.",
        serve=serve,
        replies={204: Reply(description="It is gone")},
        problems=(NOT_FOUND,),
        **_OF_ALL,
    )


def _moving(
    verb: str, serve: Serve, summary: str, description: str, *problems: Problem
) -> Operation:
    return Operation(
        id=f"{verb}Schedule",
        method="POST",
        path=f"{_ONE}/{verb}",
        summary=summary,
        description=description,
        serve=serve,
        replies={200: _SCHEDULE},
        problems=(NOT_FOUND, *problems),
        **_OF_ALL,
    )


def _running(serve: Serve) -> Operation:
    return Operation(
        id="runSchedule",
        method="POST",
        path=f"{_ONE}/run-now",
        summary="Send what a schedule sends, now",
        description="Whether it is paused or not; its own slots stay as they are.",
        serve=serve,
        is_idempotent=True,
        replies={202: Reply(description="Accepted", model=MadeView)},
        problems=(NOT_FOUND, INVALID),
        **_OF_ALL,
    )


def _showing_next(serve: Serve) -> Operation:
    return Operation(
        id="getNextSlots",
        method="GET",
        path=f"{_ONE}/next",
        summary="When a schedule is due next",
        description="As if it were not paused. By the clocks of recipients: at all times at which "
        "it is for some of them.",
        serve=serve,
        query=UpcomingQuery,
        replies={200: Reply(description="The next slots", model=UpcomingView)},
        problems=(NOT_FOUND,),
        **_OF_ALL,
    )


def _showing_runs(serve: Serve) -> Operation:
    return Operation(
        id="listRuns",
        method="GET",
        path=f"{_ONE}/runs",
        summary="What became of a schedule's slots",
        description="Of the last ninety days, the last slot first.",
        serve=serve,
        query=RunsQuery,
        replies={200: Reply(description="One page", model=RunsView)},
        problems=(NOT_FOUND,),
        **_OF_ALL,
    )


def _read_patch(value: JsonValue) -> object:
    return value if isinstance(value, dict) else [InvalidField("", "expected an object")]
