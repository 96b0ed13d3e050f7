"""The sandbox: what its provider captured, as a page and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import WireType
from notifier.api.kit.hosts import require_known_host
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.page import html_page
from notifier.api.kit.problems import NOT_FOUND, UNKNOWN_HOST, not_found
from notifier.api.kit.querying import MAX_SEQ, Limit, QueryModel, Seq
from notifier.api.kit.views import Page, View
from notifier.content.library import Library
from notifier.notification.model import Channel
from notifier.notification.reading import QueryStore
from notifier.notification.sms import SmsEncoding, sms_size
from notifier.providers.captures import Capture, Captures


class FileView(View):
    """A file that came with a mail."""

    name: str
    type: str
    size: int


class CaptureView(View):
    """What the sandbox provider was handed."""

    seq: int
    id: Annotated[UUID, Field(description="The notification's id.")]
    service: str
    type: Channel
    recipient: str
    subject: str | None
    text: Annotated[str | None, Field(description="null if sensitive.")]
    html: str | None
    action_url: str | None
    sensitive: bool
    attempt: int
    captured_at: datetime
    size: Annotated[int | None, Field(description="Of the mail with all that is in it, in bytes.")]
    segments: Annotated[int | None, Field(description="How many messages an SMS is.")]
    encoding: Annotated[SmsEncoding | None, Field(description="Their alphabet.")]
    files: list[FileView]

    @classmethod
    def of(cls, capture: Capture) -> Self:
        """View `capture`; of a sensitive one never its content."""
        shown = not capture.sensitive
        files = capture.files if shown else ()
        sms = sms_size(capture.text) if capture.channel is Channel.SMS and capture.text else None
        return cls(
            seq=capture.seq,
            id=capture.notification_id,
            service=capture.service,
            type=capture.channel,
            recipient=capture.recipient,
            subject=capture.subject if shown else None,
            text=capture.text if shown else None,
            html=capture.html if shown else None,
            action_url=capture.action_url if shown else None,
            sensitive=capture.sensitive,
            attempt=capture.attempt,
            captured_at=capture.captured_at,
            size=capture.size,
            segments=sms.segments if sms else None,
            encoding=sms.encoding if sms else None,
            files=[FileView(name=each.name, type=each.type, size=each.size) for each in files],
        )


class PinnedView(View):
    """The version of a template that said it."""

    name: str
    version: int
    locale: str


class WholeCaptureView(View):
    """A capture, with what is only told of one."""

    message: CaptureView
    template: Annotated[PinnedView | None, Field(description="What its words are of.")]
    source: Annotated[
        str | None,
        Field(
            description="Of an email: what a mail server would get, headers and parts, its first "
            "256 kB. null if sensitive."
        ),
    ]


class CapturesView(Page[CaptureView]):
    """One page of captures, newest first."""


class CapturesQuery(QueryModel):
    """Which captures to show."""

    limit: Limit = 50
    after: Seq | None = None
    type: Annotated[WireType | None, Field(description="Only of this channel.")] = None
    words: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="Only with this in recipient, subject or text, of the newest 10,000.",
        ),
    ] = None


# Mail is styled inline, and its frame inherits the page's policy. Scripts stay forbidden, and
# images may only come with the mail itself: a sandbox that phoned home would be none.
_SANDBOX_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "style-src 'self' 'unsafe-inline'; frame-src 'none'"
)


# The component has to do with the strictest policy that a page of others may have.
_DEMO_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass(frozen=True, slots=True)
class SandboxEndpoints:
    """Shows what the sandbox provider captured: a tool for development, without API keys."""

    captures: Captures
    queries: QueryStore
    library: Library
    allowed_hosts: Sequence[str]

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        page = html_page("sandbox.html", _SANDBOX_CSP)

        async def sandbox(call: Call[None, None]) -> Response:
            require_known_host(call.request, self.allowed_hosts)
            return page

        return (
            Operation(
                id="sandbox",
                method="GET",
                path="/sandbox",
                summary="What the sandbox provider captured, as a page",
                tag="Sandbox",
                serve=sandbox,
                replies={200: Reply(description="The page", media_types=("text/html",))},
                problems=(UNKNOWN_HOST,),
            ),
            self._demo(),
            self._listing(),
            self._one(),
        )

    def _demo(self) -> Operation:
        page = html_page("inbox.html", _DEMO_CSP)

        async def demo(call: Call[None, None]) -> Response:
            require_known_host(call.request, self.allowed_hosts)
            return page

        return Operation(
            id="inboxDemo",
            method="GET",
            path="/sandbox/inbox",
            summary="An inbox in a page: the web component, tried out",
            tag="Sandbox",
            serve=demo,
            replies={200: Reply(description="The page", media_types=("text/html",))},
            problems=(UNKNOWN_HOST,),
        )

    def _one(self) -> Operation:
        return Operation(
            id="getCapture",
            method="GET",
            path="/api/v1/sandbox/messages/{seq:int}",
            summary="One message that the sandbox provider captured, with its source",
            tag="Sandbox",
            serve=self.message,
            replies={200: Reply(description="All of it", model=WholeCaptureView)},
            problems=(UNKNOWN_HOST, NOT_FOUND),
        )

    def _listing(self) -> Operation:
        return Operation(
            id="listCaptures",
            method="GET",
            path="/api/v1/sandbox/messages",
            summary="What the sandbox provider captured, newest first",
            description="Of all services and without an API key: the sandbox is a tool for "
            "development, and is not there in production unless it was asked for.",
            tag="Sandbox",
            serve=self.messages,
            query=CapturesQuery,
            replies={200: Reply(description="One page", model=CapturesView)},
            problems=(UNKNOWN_HOST,),
        )

    async def messages(self, call: Call[None, CapturesQuery]) -> Response:
        """Show a page of captures."""
        require_known_host(call.request, self.allowed_hosts)
        query = call.query
        found = await self.captures.page(
            limit=query.limit + 1, before=query.after, channel=query.type, words=query.words
        )
        return call.page(found, CapturesView, CaptureView.of, lambda capture: capture.seq)

    async def message(self, call: Call[None, None]) -> Response:
        """Show one capture."""
        require_known_host(call.request, self.allowed_hosts)
        seq: int = call.named("seq")
        found = await self.captures.find(seq) if seq <= MAX_SEQ else None
        if found is None:
            raise not_found()
        view = WholeCaptureView(
            message=CaptureView.of(found),
            template=await self._template(found),
            source=None if found.sensitive else found.source,
        )
        return ok(view)

    async def _template(self, capture: Capture) -> PinnedView | None:
        notification = await self.queries.get(capture.notification_id, service=capture.service)
        pin = notification.template if notification else None
        version = await self.library.version(pin.version_id) if pin else None
        if pin is None or version is None:
            return None
        return PinnedView(name=version.name, version=version.number, locale=pin.locale)
