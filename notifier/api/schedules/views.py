"""What services are told of schedules."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
)
from pydantic import JsonValue as PydanticJson

from notifier.api.kit.views import Page, View
from notifier.api.schedules.shapes import ScheduleRequest
from notifier.notification.model import Channel, JsonValue, Lane
from notifier.schedules.schedule import (
    CatchUp,
    Run,
    RunKind,
    RunOutcome,
    Schedule,
    StoredRun,
    StoredSchedule,
    to_document,
    when_document,
)
from notifier.schedules.slot import RECIPIENT, explained


class WhenView(View):
    """When it is due."""

    cron: str | None = None
    every: str | None = None
    on: list[str] | None = None
    at: str | None = None


class ToView(View):
    """Whom it is to."""

    user_id: str | None = None
    recipient: str | None = None
    topic: str | None = None
    type: Channel


class ScheduleView(View):
    """A schedule as it stands."""

    id: UUID
    service: str
    name: str
    when: WhenView
    zone: str
    explained: Annotated[str, Field(description="When it is due, in words.")]
    to: ToView
    template: str
    variables: dict[str, PydanticJson]
    priority: Lane
    starts_at: datetime | None
    ends_at: datetime | None
    skip_dates: list[date]
    catch_up: CatchUp
    catch_up_within_s: int
    next_at: Annotated[
        datetime | None, Field(description="When it is due next; null: paused, or no more.")
    ]
    paused_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, it: StoredSchedule) -> Self:
        """View `it`."""
        return cls(
            id=it.id,
            service=it.service,
            explained=explained(it.timing.when, it.timing.zone),
            next_at=None if it.paused_at else it.progress.next_at,
            paused_at=it.paused_at,
            created_at=it.created_at,
            updated_at=it.updated_at,
            **_said(it),
        )

    def json_value(self) -> dict[str, JsonValue]:
        """Return it as JSON; of when and whom, what there is."""
        value = super().json_value()
        return {
            **value,
            "when": self.when.model_dump(mode="json", exclude_none=True),
            "to": self.to.model_dump(mode="json", exclude_none=True),
        }


def _said(it: Schedule) -> dict[str, Any]:
    timing = it.timing
    return {
        "name": it.name,
        "when": when_document(timing.when),
        "zone": timing.zone,
        "to": to_document(it.to),
        "template": it.template,
        "variables": dict(it.variables),
        "priority": it.lane,
        "starts_at": timing.starts_at,
        "ends_at": timing.ends_at,
        "skip_dates": sorted(timing.skip_dates),
        "catch_up": it.catch_up,
        "catch_up_within_s": it.catch_up_within_s,
    }


def document_of(it: StoredSchedule) -> dict[str, JsonValue]:
    """Return what would have to be asked for to get it: what a PATCH is made on."""
    value = ScheduleView.of(it).json_value()
    return {name: value[name] for name in ScheduleRequest.model_fields}


class AddedScheduleView(View):
    """A schedule that was added."""

    id: UUID
    next_at: datetime | None

    @classmethod
    def of(cls, it: Schedule) -> Self:
        """View `it`, which is stored with this answer."""
        return cls(id=it.id, next_at=it.progress.next_at)


class SchedulesView(Page[ScheduleView]):
    """One page of schedules, the newest first."""


class UpcomingView(View):
    """When it is due next."""

    items: Annotated[list[datetime], Field(description="With the offset of its zone.")]

    @classmethod
    def of(cls, it: Schedule, slots: list[datetime]) -> Self:
        """View the slots of `it`."""
        zone = ZoneInfo("UTC" if it.timing.zone == RECIPIENT else it.timing.zone)
        return cls(items=[slot.astimezone(zone) for slot in slots])


class MadeView(View):
    """What was made by hand."""

    slot: datetime
    notification_id: UUID | None
    broadcast_id: UUID | None

    @classmethod
    def of(cls, it: Run) -> Self:
        """View `it`."""
        return cls(slot=it.slot, notification_id=it.notification_id, broadcast_id=it.broadcast_id)


class RunView(View):
    """What became of a slot."""

    slot: Annotated[datetime, Field(description="When it was due.")]
    zone: Annotated[
        str | None, Field(description="Of those members of a topic whom it was for; null: all.")
    ]
    kind: RunKind
    outcome: RunOutcome
    reason: Annotated[str | None, Field(description="Why nothing was sent.")]
    notification_id: UUID | None
    broadcast_id: UUID | None
    at: Annotated[datetime, Field(description="When it was recorded.")]

    @classmethod
    def of(cls, it: StoredRun) -> Self:
        """View `it`."""
        return cls(
            slot=it.slot,
            zone=it.zone,
            kind=it.kind,
            outcome=it.outcome,
            reason=it.reason,
            notification_id=it.notification_id,
            broadcast_id=it.broadcast_id,
            at=it.at,
        )


class RunsView(Page[RunView]):
    """One page of runs, the last slot first."""


def place_of(run: Run) -> str:
    """Return where a run stands among those of its schedule, as `after` takes it."""
    return f"{run.slot.isoformat()},{run.zone or ''}"
