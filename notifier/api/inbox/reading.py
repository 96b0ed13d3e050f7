"""Reading inboxes: page by page, and live."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import orjson
from pydantic import Field
from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from notifier.api.inbox.shapes import (
    PREFIX,
    TAG,
    InboxCountsView,
    InboxItemView,
    InboxView,
    address_of,
)
from notifier.api.inbox_stream import Address, InboxFeed
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.operations import HeaderParameter, Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    RATE_LIMITED,
    UNAVAILABLE,
    ProblemError,
    invalid_parameter,
)
from notifier.api.kit.querying import Flag, Limit, QueryModel, Seq, parse_seq
from notifier.api.kit.rooms import Room
from notifier.api.kit.streaming import Stream
from notifier.api.kit.views import View
from notifier.audience.inbox import Inbox, InboxHead, InboxItem, Part

_RECONNECT_MS = 2_000
_LAST_EVENT_ID = HeaderParameter(
    name="Last-Event-ID",
    description="The id of the last event seen; the stream resumes right after it. "
    "Without it, the stream starts with what arrives from now on.",
    schema={"type": "integer", "minimum": 0},
)


class _Stopper:
    """Stands in for the event that the library sets when the server stops."""

    def __init__(self, feed: InboxFeed) -> None:
        self._feed = feed

    def set(self) -> None:
        self._feed.stop()


class InboxQuery(QueryModel):
    """Which part of an inbox to show."""

    limit: Limit = 50
    after: Seq | None = None
    unread: Annotated[Flag, Field(description="Only what was not read.")] = False
    archived: Annotated[Flag, Field(description="What is archived, instead of the inbox.")] = False
    snoozed: Annotated[Flag, Field(description="What is snoozed, instead of the inbox.")] = False

    @property
    def part(self) -> Part:
        """Which part it asks for.

        Raises:
            ProblemError: 422, two at once.
        """
        if self.archived and self.snoozed:
            raise invalid_parameter("snoozed", "not with archived: nothing is both")
        if self.archived:
            return Part.ARCHIVED
        return Part.SNOOZED if self.snoozed else Part.INBOX


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxReading:
    """Shows inboxes to the services, and the recipients, that they belong to."""

    inbox: Inbox
    config: ApiConfig
    feed: InboxFeed
    doorkeeper: Doorkeeper
    streams: Room
    """By service."""
    tabs: Room
    """The same, by inbox."""

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._get_inbox(), self._stream_inbox())

    async def page(self, call: Call[None, InboxQuery]) -> Response:
        """Show a page of an inbox."""
        query, address = call.query, address_of(call)
        # First: what changes meanwhile is told again, rather than missed.
        counts = InboxCountsView.of(await self.inbox.head(*address))
        found = await self.inbox.page(
            *address,
            limit=query.limit + 1,
            before=query.after,
            unread_only=query.unread,
            part=query.part,
        )
        shown, next_page = call.cut(found, lambda item: item.seq)
        view = InboxView(
            **dict(counts),
            items=[InboxItemView.of(each) for each in shown],
            next=next_page,
        )
        return ok(view)

    async def stream(self, call: Call[None, None]) -> Response:
        """Stream what comes into an inbox, as server-sent events."""
        address = address_of(call)
        last_seen = _last_event_id(call.request)
        head = await self.feed.head(address)
        after = head.seq if last_seen is None else last_seen
        return Stream(
            self._events(call.request, address, after, head),
            place=self._take_place(address),
            stopped=_Stopper(self.feed),
            keep_alive_s=self.config.stream_keep_alive_s,
        )

    def _take_place(self, address: Address) -> Callable[[], None]:
        service, inbox = address[0], "\0".join(address)
        if not self.streams.take(service):
            raise ProblemError(
                UNAVAILABLE,
                "Too many streams are open, in all or of your service.",
                headers={"Retry-After": "5"},
            )
        if not self.tabs.take(inbox):
            self.streams.give_back(service)
            raise ProblemError(
                RATE_LIMITED,
                "Too many streams of this inbox are open.",
                headers={"Retry-After": "5"},
            )

        def give_back() -> None:
            self.streams.give_back(service)
            self.tabs.give_back(inbox)

        return give_back

    async def _events(
        self, request: Request, address: Address, after: int, head: InboxHead
    ) -> AsyncIterator[ServerSentEvent]:
        # Carries the place to resume from, so that nothing is lost before the first item.
        counts = _json(InboxCountsView.of(head))
        yield ServerSentEvent(id=str(after), event="open", data=counts, retry=_RECONNECT_MS)
        news = self.feed.follow(
            address,
            after,
            known=head.version,
            lifetime_s=self.config.stream_lifetime_s,
            is_welcome=partial(self.doorkeeper.still_admits, request, "read"),
        )
        async with aclosing(news):
            async for each in news:
                yield _event(each)

    def _get_inbox(self) -> Operation:
        return Operation(
            id="getInbox",
            method="GET",
            path=f"{PREFIX}/{{recipient}}",
            summary="A recipient's inbox, newest first",
            tag=TAG,
            serve=self.page,
            scope="read",
            is_for_subscribers=True,
            query=InboxQuery,
            replies={200: Reply(description="One page", model=InboxView)},
            problems=(INVALID,),
        )

    def _stream_inbox(self) -> Operation:
        return Operation(
            id="streamInbox",
            method="GET",
            path=f"{PREFIX}/{{recipient}}/stream",
            summary="What comes into an inbox, live",
            description="Server-sent events: `open` tells the counts, `notification`, whose id is "
            "the item's seq, an inbox item, and `changed` the counts once items that were there "
            "were marked, by whomever. The stream ends now and then; reconnect with "
            "Last-Event-ID and nothing is lost or doubled.",
            tag=TAG,
            serve=self.stream,
            scope="read",
            is_for_subscribers=True,
            headers=(_LAST_EVENT_ID,),
            replies={
                200: Reply(
                    description="The stream",
                    event=InboxItemView,
                    media_types=("text/event-stream",),
                )
            },
        )


def _event(news: InboxItem | InboxHead) -> ServerSentEvent:
    match news:
        case InboxItem():
            data = _json(InboxItemView.of(news))
            return ServerSentEvent(id=str(news.seq), event="notification", data=data)
        case InboxHead():
            return ServerSentEvent(event="changed", data=_json(InboxCountsView.of(news)))


def _json(view: View) -> str:
    return orjson.dumps(view.json_value()).decode()


def _last_event_id(request: Request) -> int | None:
    value = request.headers.get("last-event-id")
    if value is None:
        return None
    try:
        return parse_seq(value)
    except ValueError as error:
        raise invalid_parameter("Last-Event-ID", str(error)) from error
