"""Quiet hours, as services say them and are told them."""

from datetime import time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from notifier.api.kit.views import View
from notifier.audience.quiet_hours import WEEKDAYS, QuietHours
from notifier.expecting import WrittenAs

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Clock = Annotated[
    str,
    WrittenAs(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "expected a time from 00:00 to 23:59"),
    Field(description="Such as `22:00`."),
]


class QuietHoursRequest(BaseModel):
    """When to leave people in peace."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    start: Annotated[Clock, Field(alias="from")]
    end: Annotated[
        Clock, Field(alias="to", description="If it is not later than `from`: of the next day.")
    ]
    weekdays: Annotated[
        list[Weekday] | None,
        Field(min_length=1, max_length=7, description="On which they begin; null: on all."),
    ] = None

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        self.hours()
        return self

    def hours(self) -> QuietHours:
        """Return these hours.

        Raises:
            ValueError: they would never end.
        """
        weekdays = frozenset(WEEKDAYS if self.weekdays is None else self.weekdays)
        return QuietHours(time.fromisoformat(self.start), time.fromisoformat(self.end), weekdays)


class QuietHoursView(View):
    """When people are left in peace."""

    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    weekdays: list[Weekday]

    @classmethod
    def of(cls, it: QuietHours | None) -> Self | None:
        """View `it`."""
        return cls.model_validate(it.document()) if it else None
