"""The page of one notification: how it came to where it stands, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import HTMLResponse, Response

from notifier.api.console.notifications.contents import Contents
from notifier.api.console.notifications.details import details
from notifier.api.console.notifications.explaining import EVENTS, lasted, why
from notifier.api.console.notifications.searching import SECTION
from notifier.api.console.notifications.words import error_words
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, time_words
from notifier.api.kit.problems import not_found
from notifier.audience.recipient import compared
from notifier.audience.suppression import Suppression, SuppressionPlace, SuppressionStore
from notifier.audit import AuditEntry, AuditFilter, AuditLog
from notifier.notification.model import Notification, Status, TimelineEntry
from notifier.notification.reading import QueryStore

ONE = f"{SECTION.path}/{{id:uuid}}"
DONE: Mapping[str, str] = {
    "cancelled": "It was taken back: it is not sent.",
    "replayed": "It is sent again, with all its attempts.",
    "tested": "The test is on its way: this is what becomes of it.",
    "forwarded": "It is sent to this address, too.",
}
_ACTS = ("cancel", "replay")
_ACT_TAKES = timedelta(seconds=5)
_NEAR = 20
# What somebody wrote is shown in a page of its own that runs nothing and loads nothing.
_FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_FRAME_HEADERS = {
    "Content-Security-Policy": _FRAME_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
    "X-Frame-Options": "SAMEORIGIN",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPages:
    """Shows notifications, each with its whole timeline."""

    queries: QueryStore
    suppressions: SuppressionStore
    audit: AuditLog
    contents: Contents

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        scope = SECTION.scope
        return (
            ConsolePage(path=ONE, scope=scope, serve=self.show),
            ConsolePage(path=f"{ONE}/html", scope=scope, serve=self.show_html),
        )

    async def show(self, visit: Visit) -> Response:
        """Show one."""
        it = await found(self.queries, visit)
        timeline = await self.queries.timeline(it.id)
        version = await self.contents.version(it)
        said = await self.contents.rendered(it, visit.caller)
        listing = await self._listing(it) if it.status is Status.SUPPRESSED else None
        acts = await self._acts(it, timeline)
        return visit.page(
            "notification.html",
            {
                "it": viewed(it, names=visit.caller.sees is None),
                "why": why(it, timeline, listing),
                "is_listed": listing is not None,
                "forwards": [str(id) for id in await self.queries.forwards(it.id)],
                "details": details(it, version),
                "timeline": _told(timeline, acts),
                "said": None if isinstance(said, str) else said,
                "unsaid": said if isinstance(said, str) else "",
                "may_act": "send" in visit.caller.scopes,
                "sees_audit": "admin" in visit.caller.scopes,
                "done": DONE.get(visit.asked("done"), ""),
            },
        )

    async def show_html(self, visit: Visit) -> Response:
        """Show the html of one, for the frame in its page."""
        it = await found(self.queries, visit)
        said = await self.contents.rendered(it, visit.caller)
        if isinstance(said, str) or said.html is None:
            raise not_found()
        return HTMLResponse(said.html, headers=_FRAME_HEADERS)

    async def _listing(self, it: Notification) -> Suppression | None:
        recipient = compared(it.channel, it.recipient)
        near = await self.suppressions.list(
            service=it.service,
            channel=it.channel,
            limit=_NEAR,
            after=SuppressionPlace(recipient, "", it.channel),
        )
        category = it.addressee.category if it.addressee else None
        of_it = [
            each
            for each in near
            if each.compared == recipient and each.category in (None, category)
        ]
        return of_it[0] if of_it else None

    async def _acts(
        self, it: Notification, timeline: Sequence[TimelineEntry]
    ) -> Mapping[int, AuditEntry]:
        """Return who did what somebody did, by its place in the timeline."""
        acts = {
            place: await self._act(it, entry)
            for place, entry in enumerate(timeline)
            if entry.event in _ACTS
        }
        return {place: act for place, act in acts.items() if act is not None}

    async def _act(self, it: Notification, entry: TimelineEntry) -> AuditEntry | None:
        """Return what was noted in the transaction that wrote an entry, if somebody's act was."""
        at = AuditFilter(since=entry.at - _ACT_TAKES, before=entry.at + _ACT_TAKES)
        near = await self.audit.list(at, limit=_NEAR, after=None)
        return next((each for each in near if str(it.id) in each.act.target), None)


async def found(queries: QueryStore, visit: Visit) -> Notification:
    """Return the notification that a path names.

    Raises:
        ProblemError: 404, there is none that the visitor may see.
    """
    it = await queries.get(visit.named("id"), service=visit.caller.sees)
    if it is None:
        raise not_found()
    return it


def viewed(it: Notification, *, names: bool) -> Mapping[str, object]:
    """Return what pages say of one first; `names` its service."""
    return {
        "id": str(it.id),
        "recipient": it.recipient,
        "channel": it.channel.value,
        "channel_name": CHANNELS[it.channel],
        "service": it.service if names else None,
        "status": it.status.value,
        "outcome_unknown": it.outcome_unknown,
        "is_pending": it.status is Status.PENDING,
        "is_failed": it.status is Status.FAILED,
        "is_final": it.status.is_final,
        "forwarded_from": str(it.forwarded_from) if it.forwarded_from else None,
    }


def _told(
    timeline: Sequence[TimelineEntry], acts: Mapping[int, AuditEntry]
) -> Sequence[Mapping[str, object]]:
    before = [None, *timeline]
    return [
        {
            "at": f"{time_words(entry.at)}",
            "exactly": entry.at.isoformat(timespec="milliseconds"),
            "after": lasted(entry.at - earlier.at) if earlier else "",
            "event": entry.event,
            "words": EVENTS.get(entry.event, entry.event),
            "attempt": entry.attempt,
            "provider": entry.provider or "",
            "provider_id": entry.provider_id or "",
            "error": error_words(entry.fault),
            "note": entry.note or "",
            "again": lasted(timedelta(seconds=entry.delay_s)) if entry.delay_s else "",
            "by": acts[place].act if place in acts else None,
        }
        for place, (earlier, entry) in enumerate(zip(before, timeline, strict=False))
    ]
