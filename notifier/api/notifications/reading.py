"""Following: where notifications stand, and lists of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import NOT_FOUND, not_found
from notifier.api.kit.querying import next_page
from notifier.api.notifications.answers import NotificationView, PageView, StatusView, SummaryView
from notifier.api.notifications.paths import PREFIX, TAG
from notifier.api.notifications.queries import NotificationQuery
from notifier.content.library import Library
from notifier.notification.model import Notification
from notifier.notification.reading import QueryStore

_STATUS = {200: Reply(description="Where it stands", model=StatusView)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingEndpoints:
    """Shows notifications to the services that they belong to."""

    queries: QueryStore
    library: Library

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._get_status(),
            self._get_status_short(),
            self._get_notification(),
            self._list_notifications(),
        )

    async def status(self, call: Call[None, None]) -> Response:
        """Show where one notification stands."""
        found = await self._find(call)
        timeline = await self.queries.timeline(found.id)
        return ok(StatusView.of(found, timeline))

    async def show(self, call: Call[None, None]) -> Response:
        """Show all of one notification that may be seen."""
        found = await self._find(call)
        timeline = await self.queries.timeline(found.id)
        pin = found.template
        version = await self.library.version(pin.version_id) if pin else None
        forwards = await self.queries.forwards(found.id)
        return ok(NotificationView.whole(found, timeline, version, forwards))

    async def show_page(self, call: Call[None, NotificationQuery]) -> Response:
        """Show a page of notifications."""
        query = call.query
        found = await self.queries.list(
            query.filter(),
            service=call.seeing(query.service),
            limit=query.limit,
            after=query.after,
        )
        page = PageView(
            items=[SummaryView.of(each) for each in found.items],
            next=next_page(call.request, found.goes_on_after) if found.goes_on_after else None,
        )
        return ok(page)

    async def _find(self, call: Call[None, None]) -> Notification:
        found = await self.queries.get(call.named("id"), service=call.caller.sees)
        if found is None:
            raise not_found()
        return found

    def _get_status(self) -> Operation:
        return Operation(
            id="getStatus",
            method="GET",
            path=f"{PREFIX}/{{id:uuid}}/status",
            summary="Where a notification stands",
            tag=TAG,
            serve=self.status,
            scope="read",
            replies=_STATUS,
            problems=(NOT_FOUND,),
        )

    def _get_status_short(self) -> Operation:
        return Operation(
            id="getStatusShort",
            method="GET",
            path="/notifications/{id:uuid}/status",
            summary="Where a notification stands, by a shorter path",
            tag=TAG,
            serve=self.status,
            scope="read",
            replies=_STATUS,
            problems=(NOT_FOUND,),
        )

    def _get_notification(self) -> Operation:
        return Operation(
            id="getNotification",
            method="GET",
            path=f"{PREFIX}/{{id:uuid}}",
            summary="A notification and its timeline",
            tag=TAG,
            serve=self.show,
            scope="read",
            replies={200: Reply(description="All of it", model=NotificationView)},
            problems=(NOT_FOUND,),
        )

    def _list_notifications(self) -> Operation:
        return Operation(
            id="listNotifications",
            method="GET",
            path=PREFIX,
            summary="Notifications, newest first",
            description="A page costs no more than a bound, however many there are. What is "
            "rare is looked for among some thousands at a time: a page may hold fewer than "
            "`limit`, even none, and have a `next`. Follow that until it is null.",
            tag=TAG,
            serve=self.show_page,
            scope="read",
            query=NotificationQuery,
            replies={200: Reply(description="One page", model=PageView)},
        )
