"""The page on which notifications are searched for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from notifier.api.console.layout import CONSOLE, Section
from notifier.api.console.notifications.asking import Asked, flaws
from notifier.api.console.notifications.words import listed, made_at
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, time_words
from notifier.api.kit.problems import not_found
from notifier.api.notifications.exporting import Exporter
from notifier.api.notifications.queries import NotificationQuery
from notifier.clock import Clock
from notifier.notification.exporting import Form
from notifier.notification.model import Lane, Notification, Status
from notifier.notification.reading import QueryStore

SECTION = Section(title="Notifications", path="/notifications", scope="read")
_EXPORT = f"{SECTION.path}/export"
_PER_PAGE = 50
_PATIENCE_S = 0.1
"""After so long a page shows what was found until then, and where to go on."""


@dataclass(frozen=True, slots=True)
class Found:
    """Notifications, newest first; there may be more after the id where it goes on."""

    items: Sequence[Notification]
    goes_on_after: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPages:
    """Finds notifications, and writes what was found into a file."""

    queries: QueryStore
    exporter: Exporter
    clock: Clock

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        by_path = {SECTION.path: self.show, _EXPORT: self.export}
        return [
            ConsolePage(path=path, scope=SECTION.scope, serve=serve)
            for path, serve in by_path.items()
        ]

    async def show(self, visit: Visit) -> Response:
        """Show what a search finds, or the part of the page that does."""
        asked = Asked.of(visit.request.query_params.multi_items())
        after = {"after": text} if (text := visit.asked("after")) else {}
        query = asked.checked(**after)
        if not isinstance(query, NotificationQuery):
            return _page(visit, asked, {"flaws": flaws(query), "found": None}, status=422)
        found = await self._found(query, visit.caller.may_see(query.service))
        return _page(visit, asked, {"flaws": {}, "found": _viewed(found, asked, visit)})

    async def export(self, visit: Visit) -> Response:
        """Stream all that a search finds."""
        query = Asked.of(visit.request.query_params.multi_items()).checked()
        form = visit.asked("format")
        if not isinstance(query, NotificationQuery) or form not in set(Form):
            raise not_found()
        service = visit.caller.may_see(query.service)
        return self.exporter.export(visit.caller, query.filter(), service=service, form=Form(form))

    async def _found(self, query: NotificationQuery, service: str | None) -> Found:
        began_s = self.clock.monotonic_s()
        items: list[Notification] = []
        after = query.after
        while True:
            page = await self.queries.list(
                query.filter(), service=service, limit=_PER_PAGE - len(items), after=after
            )
            items += page.items
            after = page.goes_on_after
            is_over = self.clock.monotonic_s() - began_s > _PATIENCE_S
            if after is None or len(items) == _PER_PAGE or is_over:
                return Found(items, after)


def _page(
    visit: Visit, asked: Asked, values: Mapping[str, object], *, status: int = 200
) -> Response:
    name = "notifications_found.html" if visit.is_partial else "notifications.html"
    shown = {
        **values,
        "asked": asked.fields,
        "is_narrowed": bool(asked.parameters),
        "shows_more": asked.says_more,
        "asks_service": visit.caller.sees is None,
        "statuses": [each.value for each in Status],
        "channels": [(each.value, words) for each, words in CHANNELS.items()],
        "lanes": [each.value for each in Lane],
    }
    here = f"{_here(visit)}?{asked.text}".removesuffix("?")
    headers = {"HX-Replace-Url": here} if visit.is_partial and not visit.asked("after") else {}
    return visit.page(name, shown, status=status, headers=headers)


def _viewed(found: Found, asked: Asked, visit: Visit) -> Mapping[str, object]:
    after = found.goes_on_after
    goes_on = _with(asked, after=str(after)) if after else ""
    is_full = len(found.items) == _PER_PAGE
    return {
        "items": [listed(each, names=visit.caller.sees is None) for each in found.items],
        "next": f"{_here(visit)}?{goes_on}" if goes_on else "",
        "exports": [
            (form.upper(), f"{_here(visit)}/export?{_with(asked, format=form.value)}")
            for form in Form
        ],
        "looked_back_to": time_words(made_at(after)) if after and not is_full else "",
    }


def _with(asked: Asked, **more: str) -> str:
    return urlencode([*asked.parameters, *more.items()])


def _here(visit: Visit) -> str:
    root: str = visit.request.scope.get("root_path", "")
    return f"{root}{CONSOLE}{SECTION.path}"
