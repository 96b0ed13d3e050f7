"""The endpoints for events: what happened in a service, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from notifier.api.events.shapes import (
    BODIES,
    JSON,
    PREFIX,
    AcceptedEventView,
    CloudEventRequest,
    EventDetailView,
    EventItemsView,
    EventItemView,
    EventQuery,
    EventsQuery,
    EventsView,
    EventView,
    PublishedEventsView,
    invalid_fields,
)
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.answers import Answer as Answered
from notifier.api.kit.answers import location, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.headers import header
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    DIFFERENT_EVENT,
    NOT_FOUND,
    InvalidField,
    ProblemError,
    invalid,
    not_found,
)
from notifier.events.cloudevents import (
    BATCH,
    MAX_EVENTS,
    is_binary,
    read_binary,
    read_structured,
)
from notifier.events.counts import Refusal
from notifier.events.desk import EventDesk
from notifier.events.event import Answer, Differs, Event, EventStore, Repeated
from notifier.notification.model import JsonValue

_TAG = "Events"
_MAX_VALUES = 100_000
_Invalid: TypeAlias = Sequence[InvalidField]


@dataclass(frozen=True, slots=True)
class _Body:
    """What was parsed; nothing of it is checked."""

    value: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEndpoints:
    """Takes events, and tells what came of them."""

    desk: EventDesk
    store: EventStore
    doorkeeper: Doorkeeper
    max_batch_bytes: int

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._publishing(), self._listing(), self._showing())

    async def publish(self, call: Call[_Body, EventQuery]) -> Response:
        """Take one event, or up to a thousand."""
        service = call.acting_for(call.query.service)
        type, value = _media_type(call.request), call.body.value
        headers = _headers(call.request)
        if type == JSON and is_binary(headers, value):
            event = read_binary(headers, value, service)
            if isinstance(event, Event):
                return await self._take_one(event, call.request)
            self.desk.tally.count(Refusal.INVALID)
            raise invalid(invalid_fields(event, (), are_headers=True))
        if type == BATCH or (type == JSON and isinstance(value, list)):
            return await self._take_all(_items(value), service, call)
        read = read_structured(value, service)
        if isinstance(read, Event):
            return await self._take_one(read, call.request)
        self.desk.tally.count(Refusal.INVALID)
        raise invalid(invalid_fields(read, (), are_headers=False))

    async def show_page(self, call: Call[None, EventsQuery]) -> Response:
        """Show a page of events."""
        query = call.query
        found = await self.store.list(
            query.filter(call.seeing(query.service)), limit=query.limit + 1, after=query.after
        )
        return call.page(found, EventsView, EventView.of, lambda event: event.id)

    async def show(self, call: Call[None, None]) -> Response:
        """Show one, and what came of it."""
        found = await self.store.get(call.named("id"), service=call.caller.sees)
        if found is None:
            raise not_found()
        return ok(EventDetailView.of(found, await self.store.matches_of(found)))

    async def _take_one(self, event: Event, request: Request) -> Response:
        (answer,) = await self.desk.take([event])
        if isinstance(answer, Differs):
            raise ProblemError(
                DIFFERENT_EVENT,
                "An event with this source and id was taken before, and said something else. "
                "Give each event an id of its own.",
                members={"id": str(answer.id)},
            )
        view = AcceptedEventView(id=answer.id, matched=answer.matched)
        headers = {"Location": location(request, f"{PREFIX}/{answer.id}")}
        if isinstance(answer, Repeated):
            headers["Idempotency-Replayed"] = "true"
        body = view.json_value()
        return Answered(status=HTTPStatus.ACCEPTED, body=body, headers=headers).response()

    async def _take_all(
        self, items: Sequence[JsonValue], service: str, call: Call[_Body, EventQuery]
    ) -> Response:
        self.doorkeeper.charge(call.request, call.caller, len(items))
        read = [_read(each, nth, service) for nth, each in enumerate(items)]
        events = [each for each in read if isinstance(each, Event)]
        answers = iter(await self.desk.take(events))
        self.desk.tally.count(Refusal.INVALID, len(read) - len(events))
        view = _view([next(answers) if isinstance(each, Event) else each for each in read])
        if view.accepted == 0:
            raise _none_taken(read, view)
        return Answered(status=HTTPStatus.ACCEPTED, body=view.json_value()).response()

    def _publishing(self) -> Operation:
        return Operation(
            id="publishEvents",
            method="POST",
            path=PREFIX,
            summary=f"Publish what happened: an event, or up to {MAX_EVENTS:,}",
            description="CloudEvents 1.0, structured, batched or binary. 202 means that it is "
            "stored for good with all that comes of it. The same event again gets the same answer "
            "and has no second effect; another one with the same source and id is refused. A bad "
            "item of a batch spoils no other; each counts in the rate limit.",
            tag=_TAG,
            serve=self.publish,
            scope="events",
            query=EventQuery,
            body=CloudEventRequest,
            bodies=BODIES,
            check=_Body,
            max_values=_MAX_VALUES,
            max_bytes=self.max_batch_bytes,
            is_gathered=True,
            replies={
                202: Reply(
                    description="Taken; of a batch all or some",
                    model=PublishedEventsView,
                    headers=("Location", "Idempotency-Replayed"),
                )
            },
            problems=(DIFFERENT_EVENT,),
        )

    def _listing(self) -> Operation:
        return Operation(
            id="listEvents",
            method="GET",
            path=PREFIX,
            summary="List events of the last days, the newest first",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=_TAG,
            serve=self.show_page,
            scope="events",
            query=EventsQuery,
            replies={200: Reply(description="One page", model=EventsView)},
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getEvent",
            method="GET",
            path=f"{PREFIX}/{{id:uuid}}",
            summary="An event: which rules are for it, what they made of it and why",
            tag=_TAG,
            serve=self.show,
            scope="events",
            replies={200: Reply(description="The event", model=EventDetailView)},
            problems=(NOT_FOUND,),
        )


def _media_type(request: Request) -> str:
    return header(request.scope, b"content-type").partition(";")[0].strip().lower()


def _headers(request: Request) -> Mapping[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]
    }


def _items(value: JsonValue) -> Sequence[JsonValue]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_EVENTS:
        raise invalid([InvalidField("", f"expected a list of 1 to {MAX_EVENTS} events")])
    return value


def _read(item: JsonValue, nth: int, service: str) -> Event | _Invalid:
    read = read_structured(item, service)
    return read if isinstance(read, Event) else invalid_fields(read, (nth,), are_headers=False)


def _view(outcomes: Sequence[Answer | _Invalid]) -> EventItemsView:
    items = [
        EventItemView.rejected(each) if isinstance(each, Sequence) else EventItemView.of(each)
        for each in outcomes
    ]
    accepted = sum(each.outcome in ("accepted", "repeated") for each in items)
    return EventItemsView(accepted=accepted, rejected=len(items) - accepted, items=items)


def _none_taken(read: Sequence[Event | _Invalid], view: EventItemsView) -> ProblemError:
    errors = [error for each in read if isinstance(each, Sequence) for error in each]
    members = {"items": view.json_value()["items"]}
    if not errors:
        detail = "Events with these sources and ids were taken before, and said something else."
        return ProblemError(DIFFERENT_EVENT, detail, members=members)
    problem = invalid(errors)
    return ProblemError(
        problem.problem, problem.detail, errors=problem.more.errors, members=members
    )
