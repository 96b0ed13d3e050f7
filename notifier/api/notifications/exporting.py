"""Exports: all that a search finds, as a stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from notifier.api.kit.access import Caller, Doorkeeper
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.rooms import Room, too_many_at_once
from notifier.api.notifications.paths import PREFIX, TAG
from notifier.api.notifications.queries import ExportQuery
from notifier.notification.exporting import AT_ONCE, Form, PageAfter, exported
from notifier.notification.reading import NotificationFilter, Page, QueryStore

_STREAMS, _STREAMS_OF_SERVICE = 8, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Streams what searches find; each page of it waits its turn like every other read."""

    queries: QueryStore
    doorkeeper: Doorkeeper
    room: Room = field(default_factory=lambda: Room(_STREAMS, _STREAMS_OF_SERVICE))

    def export(
        self, caller: Caller, filter: NotificationFilter, *, service: str | None, form: Form
    ) -> Response:
        """Return the stream of all that match, of `service` or of all.

        Raises:
            ProblemError: 429, the caller's service has as many as it may.
        """
        if not self.room.take(caller.service):
            raise too_many_at_once()

        async def page_after(after: UUID | None) -> Page:
            async with self.doorkeeper.reading(caller):
                return await self.queries.list(filter, service=service, limit=AT_ONCE, after=after)

        return _Export(page_after, form, self.room, caller.service)


class _Export(StreamingResponse):
    """A stream that gives its place back, however it ends."""

    def __init__(self, page_after: PageAfter, form: Form, room: Room, of: str) -> None:
        name = f"notifications.{form}"
        super().__init__(
            exported(page_after, form),
            media_type=form.media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
        self._room = room
        self._of = of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._room.give_back(self._of)


@dataclass(frozen=True, slots=True)
class ExportEndpoint:
    """Exports notifications to the services that they belong to."""

    exporter: Exporter

    def operations(self) -> Sequence[Operation]:
        """Declare it."""
        return (
            Operation(
                id="exportNotifications",
                method="GET",
                path=f"{PREFIX}/export",
                summary="All notifications that match, newest first, as a file",
                description="Without their content. As CSV what a spreadsheet would take for a "
                "formula has an apostrophe before it; NDJSON has each value as it is. A stream "
                "that breaks off is not complete.",
                tag=TAG,
                serve=self.export,
                scope="read",
                query=ExportQuery,
                replies={
                    200: Reply(
                        description="A line each",
                        media_types=tuple(each.media_type for each in Form),
                    )
                },
            ),
        )

    async def export(self, call: Call[None, ExportQuery]) -> Response:
        """Stream all that match."""
        query = call.query
        service = call.seeing(query.service)
        return self.exporter.export(call.caller, query.filter(), service=service, form=query.format)
