"""Coming in and going out: an API key for a session."""

from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from notifier.access.keys import ApiKey, implied_scopes
from notifier.api.console.door import Door, require_same_origin
from notifier.api.console.forms import read_form
from notifier.api.console.layout import CONSOLE, Layout
from notifier.api.console.visits import leading
from notifier.api.kit.headers import header
from notifier.api.kit.problems import UNAUTHENTICATED, ProblemError

log = structlog.get_logger(__name__)

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
_WRONG = "This is no key, or it was revoked or has expired."


@dataclass(frozen=True, slots=True)
class Entrance:
    """Takes API keys for sessions."""

    door: Door
    layout: Layout

    async def show(self, request: Request) -> Response:
        """Ask for a key."""
        return self._page(request, request.query_params.get("next", ""))

    async def enter(self, request: Request) -> Response:
        """Begin a session, and lead to where somebody wanted to go."""
        require_same_origin(request)
        form = await read_form(request)
        wanted = form.text("next")
        try:
            record = await self.door.doorkeeper.identify(request, form.text("key"))
        except ProblemError as error:
            if error.problem is not UNAUTHENTICATED:
                raise
            return self._page(request, wanted, _WRONG, HTTPStatus.UNAUTHORIZED)
        if not self.layout.open_to(implied_scopes(record.scopes)):
            return self._page(request, wanted, self._too_little(), HTTPStatus.FORBIDDEN)
        return self._let_in(request, record, wanted)

    async def leave(self, request: Request) -> Response:
        """End the session; there may be none any more."""
        require_same_origin(request)
        visitor = await self.door.visitor(request)
        if visitor is not None:
            self.door.require_own(request, visitor, await read_form(request))
            log.info("console.signed_out", service=visitor.caller.service)
        response = leading(request, SIGN_IN, {"done": "out"})
        self.door.end(request, response)
        return response

    def to_sign_in(self, request: Request) -> Response:
        """Lead somebody to where they sign in, and back afterwards."""
        if request.method == "POST":
            return leading(request, SIGN_IN, {"done": "ended"})
        if _comes_from_elsewhere(request):
            return self.layout.page(request, "again.html", {})
        path = f"{request.url.path}?{request.url.query}".removesuffix("?")
        is_start = path == f"{request.scope.get('root_path', '')}{CONSOLE}"
        return leading(request, SIGN_IN, None if is_start else {"next": path})

    def _let_in(self, request: Request, record: ApiKey, wanted: str) -> Response:
        log.info("console.signed_in", service=record.service, key_id=record.id)
        response = leading(request, "")
        if _is_within(request, wanted):
            response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
        self.door.begin(request, response, record.id)
        return response

    def _too_little(self) -> str:
        needed = ", ".join(self.layout.scopes)
        return f"This key opens no page: it needs one of the scopes {needed}."

    def _page(
        self, request: Request, wanted: str, wrong: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        done = request.query_params.get("done", "") if not wrong else ""
        values = {"next": wanted, "wrong": wrong, "done": done, "scopes": self.layout.scopes}
        return self.layout.page(request, "sign_in.html", values, status=status)


def _comes_from_elsewhere(request: Request) -> bool:
    """Whether a link on another site led here, so that the browser kept the cookie back."""
    return header(request.scope, b"sec-fetch-site") == "cross-site" and not request.cookies


def _is_within(request: Request, path: str) -> bool:
    """Whether it is a page of ours, and of nobody else."""
    inside = f"{request.scope.get('root_path', '')}{CONSOLE}/"
    is_plain = path.isascii() and path.isprintable() and "\\" not in path
    return path.startswith(inside) and is_plain
