"""The sandbox: what its provider captured, as a page and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.calls import Call
from notifier.api.kit.fields import WireType
from notifier.api.kit.hosts import require_known_host
from notifier.api.kit.idempotency import Answer
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.page import html_page
from notifier.api.kit.problems import UNKNOWN_HOST
from notifier.api.kit.querying import Limit, QueryModel, Seq
from notifier.api.kit.views import View
from notifier.notification.model import Channel
from notifier.providers.captures import Capture, Captures


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

    @classmethod
    def of(cls, capture: Capture) -> Self:
        """View `capture`; of a sensitive one never its content."""
        shown = not capture.sensitive
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
        )


class CapturesView(View):
    """One page of captures, newest first."""

    items: list[CaptureView]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last.")]


class CapturesQuery(QueryModel):
    """Which captures to show."""

    limit: Limit = 50
    after: Seq | None = None
    type: Annotated[WireType | None, Field(description="Only of this channel.")] = None


# Mail is styled inline, and its frame inherits the page's policy. Scripts stay forbidden, and
# images may only come with the mail itself: a sandbox that phoned home would be none.
_SANDBOX_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "style-src 'self' 'unsafe-inline'; frame-src 'none'"
)


@dataclass(frozen=True, slots=True)
class SandboxEndpoints:
    """Shows what the sandbox provider captured: a tool for development, without API keys."""

    captures: Captures
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
                replies={200: Reply(description="The page", media_type="text/html")},
                problems=(UNKNOWN_HOST,),
            ),
            self._listing(),
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
            limit=query.limit + 1, before=query.after, channel=query.type
        )
        shown, next_page = call.page(found, query.limit, lambda capture: capture.seq)
        view = CapturesView(items=[CaptureView.of(each) for each in shown], next=next_page)
        return Answer(status=HTTPStatus.OK, body=view.json_value()).response()
