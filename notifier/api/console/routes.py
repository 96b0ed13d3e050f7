"""The console's routes: each request is let in, read and checked before its page sees it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from notifier.api.console.entering import SIGN_IN, SIGN_OUT, Entrance
from notifier.api.console.forms import Form, read_form
from notifier.api.console.gates import Gates
from notifier.api.console.layout import CONSOLE, VISITOR_KEY, Layout, Visitor, is_partial
from notifier.api.console.letting_in import ELSEWHERE
from notifier.api.console.signing_on import BACK
from notifier.api.console.visits import ConsolePage, Visit, leading
from notifier.api.console.welcoming import WELCOME
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.problems import SHOWN_KEY, UNAUTHENTICATED, ProblemError, not_found
from notifier.api.kit.rooms import KEY_ID_KEY, LOGIN_KEY, SERVICE_KEY
from notifier.api.kit.serving import ROUTE_KEY
from notifier.audit import Via

Serve: TypeAlias = Callable[[Request], Awaitable[Response]]


def console_routes(pages: Sequence[ConsolePage], gates: Gates, auditor: Auditor) -> Sequence[Route]:
    """Return the routes of `pages`, of what leads to them, and of what is not there."""
    entrance, welcome = gates.entrance, gates.welcome
    layout = entrance.layout
    inside = Inside(entrance, auditor)
    by_path: dict[str, dict[str, Serve]] = {
        "": {"GET": inside.home},
        SIGN_IN: {"GET": entrance.show, "POST": entrance.enter},
        SIGN_OUT: {"POST": entrance.leave},
        ELSEWHERE: {"GET": gates.signing_on.leave},
        BACK: {"GET": gates.signing_on.come_back},
        WELCOME: {"GET": welcome.show, "POST": welcome.set},
    }
    for page in pages:
        by_path.setdefault(page.path, {})[page.method] = inside.serving(page)
    by_path["/{path:path}"] = {}
    return [
        Route(
            f"{CONSOLE}{path}",
            _Endpoint(f"{CONSOLE}{path}", found, inside.nothing, layout),
            include_in_schema=False,
        )
        for path, found in by_path.items()
    ]


class _Endpoint:
    """What is at one path, as plain ASGI."""

    def __init__(
        self, path: str, by_method: Mapping[str, Serve], otherwise: Serve, layout: Layout
    ) -> None:
        self._path = path
        self._by_method = by_method
        self._otherwise = otherwise
        self._layout = layout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        scope[ROUTE_KEY] = self._path
        scope[SHOWN_KEY] = self._layout.shown
        method = "GET" if request.method == "HEAD" else request.method
        response = await self._by_method.get(method, self._otherwise)(request)
        await response(scope, receive, send)


class Inside:
    """Lets those in who are signed in, and others to where they can be."""

    def __init__(self, entrance: Entrance, auditor: Auditor) -> None:
        self._door = entrance.door
        self._layout = entrance.layout
        self._entrance = entrance
        self._auditor = auditor

    def serving(self, page: ConsolePage) -> Serve:
        """Return what serves a page to those who may see it."""

        async def serve(request: Request) -> Response:
            visitor = await self._visitor(request)
            if visitor is None:
                return self._stopped(request)
            if page.scope is not None:
                visitor.caller.require(page.scope)
            visit = Visit(
                request=request,
                caller=visitor.caller,
                layout=self._layout,
                session=visitor.session,
                is_still_here=partial(self._is_still_here, request, page),
                form=await self._form(request, visitor, page.max_bytes),
            )
            return await self._in_turn(page, visit)

        return serve

    async def home(self, request: Request) -> Response:
        """Lead to the first section that is open."""
        visitor = await self._visitor(request)
        sections = self._layout.open_to(visitor.caller.scopes) if visitor else ()
        return leading(request, sections[0].path) if sections else self._stopped(request)

    async def nothing(self, request: Request) -> Response:
        """Say that there is no such page, to those who may know."""
        if await self._visitor(request) is None:
            return self._stopped(request)
        raise not_found()

    async def _is_still_here(self, request: Request, page: ConsolePage) -> bool:
        try:
            visitor = await self._door.visitor(request)
        except ProblemError:
            return False
        return visitor is not None and (page.scope is None or page.scope in visitor.caller.scopes)

    async def _visitor(self, request: Request) -> Visitor | None:
        visitor = await self._door.visitor(request)
        if visitor is not None:
            request.scope[VISITOR_KEY] = visitor
            request.scope[SERVICE_KEY] = visitor.caller.service
            request.scope[KEY_ID_KEY] = visitor.caller.key_id
            request.scope[LOGIN_KEY] = visitor.caller.login
        return visitor

    def _stopped(self, request: Request) -> Response:
        if is_partial(request):
            words = "Your session has ended: sign in again in another tab, and go on here."
            raise ProblemError(UNAUTHENTICATED, words)
        return self._entrance.to_sign_in(request)

    async def _form(self, request: Request, visitor: Visitor, max_bytes: int) -> Form:
        if request.method != "POST":
            return Form()
        form = await read_form(request, max_bytes)
        self._door.require_own(request, visitor, form)
        return form

    async def _in_turn(self, page: ConsolePage, visit: Visit) -> Response:
        doorkeeper = self._door.doorkeeper
        doorkeeper.enter(visit.caller)
        try:
            is_change = page.method == "POST" and page.changes
            turn = doorkeeper.changing if is_change else doorkeeper.reading
            async with turn(visit.caller):
                return await (self._noted(page, visit) if is_change else page.serve(visit))
        finally:
            doorkeeper.leave(visit.caller)

    async def _noted(self, page: ConsolePage, visit: Visit) -> Response:
        return await self._auditor.noted(
            visit.request,
            visit.caller,
            via=Via.CONSOLE,
            action=f"{page.method} {CONSOLE}{page.path}",
            change=partial(page.serve, visit),
        )
