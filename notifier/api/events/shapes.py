"""What services say of events, and are told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic import JsonValue as PydanticJson

from notifier.api.kit.body import pointer
from notifier.api.kit.fields import WireTime
from notifier.api.kit.problems import InvalidField
from notifier.api.kit.querying import After, Flag, Limit, QueryModel, Service
from notifier.api.kit.views import InvalidFieldView, Page, View
from notifier.events.cloudevents import BATCH, MAX_DATA_BYTES, MAX_EVENTS, STRUCTURED
from notifier.events.event import (
    Answer,
    Differs,
    Event,
    EventFilter,
    Outcome,
    Repeated,
    StoredEvent,
    StoredMatch,
)
from notifier.intake.draft import Flaw
from notifier.notification.model import JsonValue

PREFIX = "/api/v1/events"

JSON = "application/json"

Name = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]

_ONE: JsonValue = {"$ref": "#/components/schemas/CloudEventRequest"}
_MANY: JsonValue = {"type": "array", "items": _ONE, "minItems": 1, "maxItems": MAX_EVENTS}
BODIES: Mapping[str, JsonValue] = {
    STRUCTURED: _ONE,
    BATCH: _MANY,
    JSON: {
        "description": "In binary mode, whose attributes are headers (`ce-specversion`, `ce-id`, "
        "`ce-source`, `ce-type`), the data. Else an event in structured mode, or a list of them.",
        "anyOf": [_ONE, _MANY],
    },
}


class CloudEventRequest(BaseModel):
    """A CloudEvent in structured mode, CloudEvents 1.0."""

    model_config = ConfigDict(
        strict=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [
                {
                    "specversion": "1.0",
                    "id": "booking-17",
                    "source": "/bookings",
                    "type": "booking.confirmed",
                    "data": {"user_id": "u1", "seats": 2},
                }
            ]
        },
    )

    specversion: Literal["1.0"]
    id: Annotated[Name, Field(description="One event of its source: it is taken once.")]
    source: Annotated[Name, Field(description="Where it happened, such as `/bookings`.")]
    type: Annotated[Name, Field(description="What happened, such as `booking.confirmed`.")]
    subject: Annotated[Name | None, Field(description="What it happened to.")] = None
    time: Annotated[WireTime | None, Field(description="When it happened.")] = None
    datacontenttype: Annotated[str | None, Field(description="JSON, if anything.")] = None
    data: Annotated[PydanticJson, Field(description=f"At most {MAX_DATA_BYTES} bytes of JSON.")] = (
        None
    )


class AcceptedEventView(View):
    """An event that is stored with its effects."""

    id: Annotated[UUID, Field(description="What it is known by here.")]
    matched: Annotated[
        int, Field(description="How often a rule is carried out for it, once for each person.")
    ]


class EventItemView(View):
    """What became of one event of a batch."""

    outcome: Annotated[
        Literal["accepted", "repeated", "different", "rejected"],
        Field(
            description="`repeated`: it was taken before. `different`: another event was, with "
            "the same source and id. `rejected`: see `errors`."
        ),
    ]
    id: UUID | None = None
    matched: int | None = None
    errors: list[InvalidFieldView] | None = None

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """View `answer`."""
        match answer:
            case Differs(id):
                return cls(outcome="different", id=id)
            case Repeated(id, matched):
                return cls(outcome="repeated", id=id, matched=matched)
            case taken:
                return cls(outcome="accepted", id=taken.id, matched=taken.matched)

    @classmethod
    def rejected(cls, errors: Sequence[InvalidField]) -> Self:
        """View an event that is invalid."""
        shown = [InvalidFieldView(pointer=each.where, detail=each.detail) for each in errors]
        return cls(outcome="rejected", errors=shown)


class EventItemsView(View):
    """What became of a batch: an item for each of its events, in their order."""

    accepted: Annotated[int, Field(description="Those that were taken, now or before.")]
    rejected: int
    items: list[EventItemView]


class PublishedEventsView(View):
    """What became of one event: `id` and `matched`; or of a batch: the others."""

    id: UUID | None = None
    matched: int | None = None
    accepted: int | None = None
    rejected: int | None = None
    items: list[EventItemView] | None = None


class EventContentView(View):
    """An event as it was published."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str | None
    time: datetime | None
    data: PydanticJson

    @classmethod
    def of(cls, it: Event) -> Self:
        """View `it`."""
        return cls(
            id=it.id,
            source=it.source,
            type=it.type,
            subject=it.subject,
            time=it.time,
            data=it.data,
        )


class EventView(View):
    """An event, and how much came of it."""

    id: UUID
    service: str
    received_at: datetime
    matched: Annotated[int, Field(description="How often a rule is carried out for it.")]
    cancelled: Annotated[int, Field(description="How many notifications it took back.")]
    event: EventContentView

    @classmethod
    def of(cls, it: StoredEvent) -> Self:
        """View `it`."""
        return cls(
            id=it.id,
            service=it.event.service,
            received_at=it.received_at,
            matched=it.matched,
            cancelled=it.cancelled,
            event=EventContentView.of(it.event),
        )


class EventMatchView(View):
    """What one rule made of an event, for one person."""

    rule: str
    version_id: Annotated[UUID, Field(description="The version of the rule.")]
    user_id: str | None
    recipient: Annotated[str | None, Field(description="The address, where no user id was given.")]
    key: Annotated[str | None, Field(description="What it is carried out once for.")]
    outcome: Outcome
    reason: Annotated[str | None, Field(description="Why not, or not all of it.")]
    notification_ids: list[UUID]
    digest_id: Annotated[UUID | None, Field(description="The digest that it was added to.")]
    broadcast_id: UUID | None

    @classmethod
    def of(cls, it: StoredMatch) -> Self:
        """View `it`."""
        return cls(
            rule=it.rule,
            version_id=it.version_id,
            user_id=it.person if it.is_user else None,
            recipient=None if it.is_user else it.person,
            key=it.key,
            outcome=it.outcome,
            reason=it.reason,
            notification_ids=list(it.notification_ids),
            digest_id=it.digest_id,
            broadcast_id=it.broadcast_id,
        )


class EventDetailView(View):
    """An event, and what came of it."""

    id: UUID
    service: str
    received_at: datetime
    matched: int
    cancelled: int
    event: EventContentView
    matches: Annotated[
        list[EventMatchView],
        Field(description="Of every rule that is for its type. None: no rule is."),
    ]

    @classmethod
    def of(cls, it: StoredEvent, matches: Sequence[StoredMatch]) -> Self:
        """View `it`."""
        whole = EventView.of(it)
        return cls(
            **{name: getattr(whole, name) for name in EventView.model_fields},
            matches=[EventMatchView.of(each) for each in matches],
        )


class EventsView(Page[EventView]):
    """One page of events, the newest first."""


class EventQuery(QueryModel):
    """Whose event."""

    service: Service = None


class EventsQuery(EventQuery):
    """Which events."""

    type: Annotated[str | None, Field(max_length=512, description="Of this type.")] = None
    source: Annotated[str | None, Field(max_length=512, description="From this source.")] = None
    event_id: Annotated[
        str | None, Field(max_length=512, description="With this id, of whichever source.")
    ] = None
    matched: Annotated[
        Flag | None, Field(description="Only those that a rule is carried out for, or none is.")
    ] = None
    limit: Limit = 50
    after: After = None

    def filter(self, service: str | None) -> EventFilter:
        """Return what is asked for."""
        return EventFilter(
            service=service,
            type=self.type,
            source=self.source,
            event_id=self.event_id,
            is_matched=self.matched,
        )


def invalid_fields(
    flaws: Sequence[Flaw], path: tuple[int, ...], *, are_headers: bool
) -> Sequence[InvalidField]:
    """Say where in a request the flaws of an event are."""
    return [
        InvalidField(f"ce-{each.field}", each.words, is_parameter=True)
        if are_headers and each.field != "data"
        else InvalidField(pointer((*path, *_place(each, are_headers=are_headers))), each.words)
        for each in flaws
    ]


def _place(flaw: Flaw, *, are_headers: bool) -> tuple[str | int, ...]:
    # In binary mode the body is the data.
    inner = () if are_headers or not flaw.field else (flaw.field,)
    return (*inner, *flaw.path)
