"""What services say of schedules, and are told."""

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from notifier.api.kit.fields import (
    UserId,
    WireLane,
    WireTime,
    WireType,
    WireVariables,
    WrittenRecipient,
    parse_time,
)
from notifier.api.kit.querying import After, Limit, QueryModel, Service
from notifier.audience.topic import KEY_PATTERN
from notifier.content.template import NAME_PATTERN
from notifier.intake.draft import Flaw
from notifier.notification.model import Lane
from notifier.schedules.planning import MOST_SHOWN, TIME_PATTERN, Wish, when_of
from notifier.schedules.schedule import (
    MAX_CATCH_UP_S,
    MAX_NAME_CHARS,
    MAX_SKIP_DATES,
    USUAL_CATCH_UP_S,
    CatchUp,
)
from notifier.schedules.slot import MAX_CRON_CHARS

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _date(value: object) -> date:
    try:
        # Python reads 20271224 and 2027-W51-5 as well.
        return date.fromisoformat(str(value) if _DATE.fullmatch(str(value)) else "")
    except ValueError as error:
        message = "expected a date such as 2027-12-24"
        raise ValueError(message) from error


def _at(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(TIME_PATTERN, value):
        message = "expected a time of the day, such as 09:30"
        raise ValueError(message)
    return value


def _catch_up(value: object) -> CatchUp:
    if not isinstance(value, str) or value not in list(CatchUp):
        message = f"expected one of {', '.join(CatchUp)}"
        raise ValueError(message)
    return CatchUp(value)


WireDate = Annotated[
    date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})
]
WireCatchUp = Annotated[
    CatchUp,
    BeforeValidator(_catch_up),
    WithJsonSchema({"type": "string", "enum": [each.value for each in CatchUp]}),
]
WireAt = Annotated[
    str, BeforeValidator(_at), WithJsonSchema({"type": "string", "pattern": TIME_PATTERN})
]
_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class WhenRequest(BaseModel):
    """When it is due: a `cron`, or `every` day or week at a time of the day."""

    model_config = _STRICT

    cron: Annotated[
        str | None,
        Field(
            max_length=MAX_CRON_CHARS,
            description="Five fields: minute, hour, day of the month, month, day of the week.",
        ),
    ] = None
    every: Annotated[str | None, Field(description="`day` or `week`.")] = None
    on: Annotated[
        list[str] | None,
        Field(max_length=7, description="Days of the week: `mon`, `tue` and so on."),
    ] = None
    at: Annotated[WireAt | None, Field(description="What clocks show then, as 09:30.")] = None


class ToRequest(BaseModel):
    """Whom it is to: a `user_id`, a `recipient` or a `topic`, one of them."""

    model_config = _STRICT

    user_id: Annotated[UserId | None, Field(description="Somebody in the directory.")] = None
    recipient: Annotated[WrittenRecipient | None, Field(description="An address.")] = None
    topic: Annotated[
        str | None, Field(pattern=KEY_PATTERN, description="All members: a broadcast each time.")
    ] = None
    type: Annotated[
        WireType | None,
        Field(description="The channel; may be left out where the template has one alone."),
    ] = None


class ScheduleRequest(BaseModel):
    """A schedule."""

    model_config = ConfigDict(
        **_STRICT,
        json_schema_extra={
            "examples": [
                {
                    "name": "Weekly digest",
                    "when": {"every": "week", "on": ["mon"], "at": "09:30"},
                    "zone": "recipient",
                    "to": {"user_id": "u-7", "type": "email"},
                    "template": "digest.weekly",
                    "variables": {"greeting": "Good morning"},
                },
            ]
        },
    )

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_NAME_CHARS,
            description="What people call it; no other schedule of the service has this name.",
        ),
    ]
    when: WhenRequest
    zone: Annotated[
        str,
        Field(
            max_length=100,
            description="The clocks to go by: a name of the IANA's database such as Europe/Vienna, "
            "or `recipient` for those of whom it is for.",
        ),
    ]
    to: ToRequest
    template: Annotated[
        str,
        Field(pattern=NAME_PATTERN, description="A template: what is published at the time."),
    ]
    variables: Annotated[
        WireVariables, Field(description="What it is filled with. At most 100,000 bytes.")
    ] = None
    priority: Annotated[WireLane, Field(description="How urgent it is.")] = Lane.BULK
    starts_at: Annotated[WireTime | None, Field(description="Not before.")] = None
    ends_at: Annotated[WireTime | None, Field(description="Not at this time, nor after.")] = None
    skip_dates: Annotated[
        list[WireDate],
        Field(max_length=MAX_SKIP_DATES, description="Days, by the same clocks, without any."),
    ] = Field(default_factory=list)
    catch_up: Annotated[
        WireCatchUp,
        Field(description="What becomes of slots that nobody was there for: the `last` fires."),
    ] = CatchUp.LAST
    catch_up_within_s: Annotated[
        int,
        Field(ge=0, le=MAX_CATCH_UP_S, description="Seconds after which it is too late for that."),
    ] = USUAL_CATCH_UP_S

    def wish(self) -> Wish | list[Flaw]:
        """Return what is asked for, or what is wrong with when."""
        said = self.when
        when = when_of(cron=said.cron, every=said.every, on=said.on, at=said.at)
        if isinstance(when, list):
            return when
        return Wish(
            name=self.name,
            when=when,
            zone=self.zone,
            template=self.template,
            user_id=self.to.user_id,
            recipient=self.to.recipient,
            topic=self.to.topic,
            channel=self.to.type,
            variables=self.variables or {},
            lane=self.priority,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            skip_dates=frozenset(self.skip_dates),
            catch_up=self.catch_up,
            catch_up_within_s=self.catch_up_within_s,
        )


class ScheduleQuery(QueryModel):
    """Whose schedule."""

    service: Service = None


class SchedulesQuery(ScheduleQuery):
    """Whose schedules."""

    limit: Limit = 50
    after: After = None


def _place(value: object) -> tuple[datetime, str]:
    slot, comma, zone = str(value).partition(",")
    if not comma:
        message = "expected what an earlier answer's next says"
        raise ValueError(message)
    return parse_time(slot), zone


class RunsQuery(QueryModel):
    """Which runs."""

    limit: Limit = 50
    after: Annotated[
        tuple[datetime, str] | None,
        BeforeValidator(_place),
        WithJsonSchema({"type": "string"}),
        Field(description="Where the last page ended, from its `next`."),
    ] = None


def _count(value: object) -> int:
    text = str(value)
    if not (text.isdecimal() and text.isascii() and 0 < int(text) <= MOST_SHOWN):
        message = f"expected a number from 1 to {MOST_SHOWN}"
        raise ValueError(message)
    return int(text)


class UpcomingQuery(QueryModel):
    """How many."""

    count: Annotated[
        int,
        BeforeValidator(_count),
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_SHOWN, "default": 10}),
    ] = 10
