"""The endpoints for in-app inboxes: reading, marking as read, and the live stream."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Self, cast
from uuid import UUID

import anyio
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from notifier.access.subscribers import Subscriber, SubscriberTokens
from notifier.api.inbox_stream import Address, InboxFeed
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.calls import Call
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.fields import normalised
from notifier.api.kit.idempotency import Answer
from notifier.api.kit.middleware import ENCODED_SLASH
from notifier.api.kit.operations import HeaderParameter, Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    RATE_LIMITED,
    UNAVAILABLE,
    ProblemError,
    invalid_parameter,
    not_found,
)
from notifier.api.kit.querying import Flag, Limit, QueryModel, Seq, parse_seq
from notifier.api.kit.rooms import Room
from notifier.api.kit.views import View
from notifier.audience.inbox import Inbox, InboxItem
from notifier.audience.recipient import normalise
from notifier.clock import Clock
from notifier.errors import RecipientError
from notifier.idempotency import NotFound, Unfinished
from notifier.notification.model import Channel

PREFIX = "/api/v1/inbox"

_TAG = "Inbox"
_QUARTER_S, _A_DAY_S = 900, 86_400
_RECONNECT_MS = 2_000
_STREAM_GRACE_S = 2
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


class _Stream(EventSourceResponse):
    """A stream that gives back its place, however it ends."""

    def __init__(
        self, events: AsyncIterator[ServerSentEvent], *, place: Callable[[], None], **options: Any
    ) -> None:
        super().__init__(events, **options)
        self._give_back = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()


class InboxItemView(View):
    """A notification in an inbox."""

    seq: Annotated[int, Field(description="Counts up by one in each inbox; the stream's id.")]
    id: Annotated[UUID, Field(description="The notification's id.")]
    subject: str | None
    text: str
    html: str | None
    action_url: Annotated[
        str | None,
        Field(description="Where it leads: an https address, or a path of the service's own app."),
    ]
    metadata: dict[str, str]
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, item: InboxItem) -> Self:
        """View `item`."""
        return cls(
            seq=item.seq,
            id=item.notification_id,
            subject=item.subject,
            text=item.text,
            html=item.html,
            action_url=item.action_url,
            metadata=dict(item.metadata),
            created_at=item.created_at,
            read_at=item.read_at,
        )


class InboxView(View):
    """One page of an inbox, newest first."""

    unread_count: int
    items: list[InboxItemView]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last.")]


class InboxQuery(QueryModel):
    """Which part of an inbox to show."""

    limit: Limit = 50
    after: Seq | None = None
    unread: Annotated[Flag, Field(description="Only what was not read.")] = False


class TokenRequest(BaseModel):
    """Whose inbox a browser is to open, and for how long."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    recipient: Annotated[
        str,
        Field(
            min_length=1,
            max_length=320,
            description="As in sends of `in_app`. It is your service that knows who uses its page.",
        ),
        AfterValidator(partial(normalised, Channel.IN_APP)),
    ]
    expires_in_s: Annotated[
        int, Field(ge=1, le=_A_DAY_S, description="Seconds until it expires, a day at most.")
    ] = _QUARTER_S


class TokenView(View):
    """A subscriber token."""

    token: Annotated[str, Field(description="For `Authorization: Bearer` in the browser.")]
    recipient: Annotated[str, Field(description="Whose inbox it opens.")]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEndpoints:
    """Serves inboxes to the services that they belong to."""

    inbox: Inbox
    config: ApiConfig
    feed: InboxFeed
    doorkeeper: Doorkeeper
    tokens: SubscriberTokens
    clock: Clock
    streams: Room
    """By service."""
    tabs: Room
    """The same, by inbox."""

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._make_token(), *self._reading(), *self._marking())

    async def token(self, call: Call[TokenRequest, None]) -> Response:
        """Make a subscriber token; it is kept nowhere."""
        expires_at = self.clock.now() + timedelta(seconds=call.body.expires_in_s)
        subscriber = Subscriber(
            service=call.caller.service,
            recipient=call.body.recipient,
            key_id=call.caller.key_id,
            expires_at=expires_at.replace(microsecond=0),
        )
        view = TokenView(
            token=self.tokens.sign(subscriber),
            recipient=subscriber.recipient,
            expires_at=subscriber.expires_at,
        )
        return Answer(status=HTTPStatus.OK, body=view.json_value()).response()

    async def page(self, call: Call[None, InboxQuery]) -> Response:
        """Show a page of an inbox."""
        query, address = call.query, _address(call)
        found = await self.inbox.page(
            *address, limit=query.limit + 1, before=query.after, unread_only=query.unread
        )
        shown, next_page = call.page(found, query.limit, lambda item: item.seq)
        view = InboxView(
            unread_count=await self.inbox.unread_count(*address),
            items=[InboxItemView.of(each) for each in shown],
            next=next_page,
        )
        return Answer(status=HTTPStatus.OK, body=view.json_value()).response()

    async def read_all(self, call: Call[None, None]) -> Response:
        """Mark all of an inbox as read."""
        return await self._mark(call, None)

    async def read_one(self, call: Call[None, None]) -> Response:
        """Mark one item of an inbox as read."""
        return await self._mark(call, call.named("id"))

    async def stream(self, call: Call[None, None]) -> Response:
        """Stream what comes into an inbox, as server-sent events."""
        address = _address(call)
        last_seen = _last_event_id(call.request)
        after = await self.feed.head(address) if last_seen is None else last_seen
        return _Stream(
            self._events(call.request, address, after),
            place=self._take_place(address),
            ping=self.config.stream_keep_alive_s,
            ping_message_factory=lambda: ServerSentEvent(comment="keep-alive"),
            send_timeout=self.config.stream_keep_alive_s * 2,
            shutdown_event=cast("anyio.Event", _Stopper(self.feed)),
            shutdown_grace_period=_STREAM_GRACE_S,
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
        self, request: Request, address: Address, after: int
    ) -> AsyncIterator[ServerSentEvent]:
        # Carries the place to resume from, so that nothing is lost before the first item.
        yield ServerSentEvent(id=str(after), event="open", data="{}", retry=_RECONNECT_MS)
        items = self.feed.follow(
            address,
            after,
            lifetime_s=self.config.stream_lifetime_s,
            is_welcome=partial(self.doorkeeper.still_admits, request, "read"),
        )
        async with aclosing(items):
            async for item in items:
                data = orjson.dumps(InboxItemView.of(item).json_value()).decode()
                yield ServerSentEvent(id=str(item.seq), event="notification", data=data)

    async def _mark(self, call: Call[None, None], id: UUID | None) -> Response:
        mark = partial(self.inbox.mark_read, *_address(call), id)
        result: Response | NotFound | Unfinished = await call.once(
            mark, Answer(status=HTTPStatus.NO_CONTENT)
        )
        match result:
            case Response() as response:
                return response
            case NotFound():
                raise not_found()
            case Unfinished(left):
                detail = f"There are very many: {left} are left. Ask again to go on with them."
                members = {"unread_count": left}
                headers = {"Retry-After": "1"}
                raise ProblemError(UNAVAILABLE, detail, headers=headers, members=members)

    def _reading(self) -> Sequence[Operation]:
        return (self._get_inbox(), self._stream_inbox())

    def _marking(self) -> Sequence[Operation]:
        done = {204: Reply(description="Marked")}
        return (
            Operation(
                id="readInbox",
                method="POST",
                path=f"{PREFIX}/{{recipient}}/read",
                summary="Mark all of an inbox as read",
                tag=_TAG,
                serve=self.read_all,
                scope="read",
                is_for_subscribers=True,
                is_idempotent=True,
                replies=done,
            ),
            Operation(
                id="readInboxItem",
                method="POST",
                path=f"{PREFIX}/{{recipient}}/{{id:uuid}}/read",
                summary="Mark one item of an inbox as read",
                tag=_TAG,
                serve=self.read_one,
                scope="read",
                is_for_subscribers=True,
                is_idempotent=True,
                replies=done,
                problems=(NOT_FOUND,),
            ),
        )

    def _make_token(self) -> Operation:
        return Operation(
            id="makeInboxToken",
            method="POST",
            path=f"{PREFIX}/tokens",
            summary="Make a subscriber token, with which a browser opens one inbox",
            description="It reads, follows and marks this inbox, and does nothing else. It is kept "
            "nowhere, and ends with the API key that made it.",
            tag=_TAG,
            serve=self.token,
            scope="read",
            body=TokenRequest,
            is_gathered=True,
            replies={200: Reply(description="The token", model=TokenView)},
        )

    def _get_inbox(self) -> Operation:
        return Operation(
            id="getInbox",
            method="GET",
            path=f"{PREFIX}/{{recipient}}",
            summary="A recipient's inbox, newest first",
            tag=_TAG,
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
            description="Server-sent events: `notification`, whose id is the item's seq and "
            "whose data is an inbox item. The stream ends now and then; reconnect with "
            "Last-Event-ID and nothing is lost or doubled.",
            tag=_TAG,
            serve=self.stream,
            scope="read",
            is_for_subscribers=True,
            headers=(_LAST_EVENT_ID,),
            replies={
                200: Reply(
                    description="The stream",
                    event=InboxItemView,
                    media_type="text/event-stream",
                )
            },
        )


def _address(call: Call[Any, Any]) -> Address:
    written = call.named("recipient").replace(ENCODED_SLASH, "/")
    try:
        recipient = normalise(Channel.IN_APP, written)
    except RecipientError as error:
        raise invalid_parameter("recipient", str(error)) from error
    return call.caller.service, call.caller.may_open(recipient)


def _last_event_id(request: Request) -> int | None:
    value = request.headers.get("last-event-id")
    if value is None:
        return None
    try:
        return parse_seq(value)
    except ValueError as error:
        raise invalid_parameter("Last-Event-ID", str(error)) from error
