"""Coming in and going out: a login and a password, or an API key, for a session."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import Response

from notifier.access.operators import Operator, is_login
from notifier.access.signing_in import PasswordDesk, Turned
from notifier.access.throttling import WINDOW_S, Attempt
from notifier.api.console.door import Door, forget_session, require_same_origin
from notifier.api.console.forms import Form, read_form
from notifier.api.console.layout import CONSOLE, Layout, Visitor
from notifier.api.console.letting_in import Hall, named
from notifier.api.console.visits import leading
from notifier.api.kit.access import ANYBODY, Caller, caller_of, caller_with
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.door import network_of
from notifier.api.kit.headers import header
from notifier.api.kit.problems import RATE_LIMITED, UNAUTHENTICATED, ProblemError
from notifier.api.kit.rooms import ConcurrencyLimit
from notifier.audit import Via

log = structlog.get_logger(__name__)

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
_WRONG = {"password": "They do not go together, or this operator is let in no longer."}
_WRONG_KEY = {"key": "This is no key, or it was revoked or has expired."}
_NO_KEYS = {"login": "Nobody signs in with an API key here."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """Takes passwords of operators, and API keys, for sessions."""

    door: Door
    hall: Hall
    layout: Layout
    desk: PasswordDesk
    guessing: ConcurrencyLimit
    """How many passwords of one network are looked at at once."""
    auditor: Auditor

    async def show(self, request: Request) -> Response:
        """Ask who it is."""
        return await self.hall.asking(
            request, Form({"next": [request.query_params.get("next", "")]})
        )

    async def enter(self, request: Request) -> Response:
        """Begin a session, and lead to where somebody wanted to go."""
        require_same_origin(request)
        form = await read_form(request)
        with_password = "login" in form.fields
        return await (self._by_password if with_password else self._by_key)(request, form)

    async def leave(self, request: Request) -> Response:
        """End the session; there may be none any more."""
        require_same_origin(request)
        visitor = await self.door.visitor(request)
        if visitor is not None:
            self.door.require_own(request, visitor, await read_form(request))
            ending = partial(self._end, visitor)
            await self._noted(request, visitor.caller, SIGN_OUT, ending)
            log.info("console.signed_out", **named(visitor.caller))
        response = leading(request, SIGN_IN, {"done": "out"})
        forget_session(request, response)
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

    async def _by_key(self, request: Request, form: Form) -> Response:
        if not self.hall.takes_keys:
            return await self.hall.asking(request, form, _NO_KEYS, HTTPStatus.FORBIDDEN)
        try:
            record = await self.door.doorkeeper.identify(request, form.text("key"))
        except ProblemError as error:
            if error.problem is not UNAUTHENTICATED:
                raise
            return await self.hall.asking(request, form, _WRONG_KEY, HTTPStatus.UNAUTHORIZED)
        caller = caller_with(record)
        entering = partial(self.hall.let_in, request, caller, form)
        return await self._noted(request, caller, SIGN_IN, entering)

    async def _by_password(self, request: Request, form: Form) -> Response:
        login = form.text("login").lower()
        network, device = network_of(request.scope), self.door.device(request, login)
        attempt = Attempt(login=login, network=network, device=device)
        async with self.guessing.of(network):
            # Nothing is written for whoever goes on and on.
            if not await self.desk.throttle.is_open(attempt):
                raise _too_often(attempt)
            operator = await self.desk.operators.find(login) if is_login(login) else None
            claimed = caller_of(operator) if operator else ANYBODY
            trying = partial(self._try, request, form, attempt, operator)
            return await self._noted(request, claimed, SIGN_IN, trying)

    async def _try(
        self, request: Request, form: Form, attempt: Attempt, operator: Operator | None
    ) -> Response:
        match await self.desk.admit(attempt, operator, form.secret("password")):
            case Turned.TOO_OFTEN:
                raise _too_often(attempt)
            case Turned.WRONG:
                log.info("console.refused", source=attempt.network)
                return await self.hall.asking(request, form, _WRONG, HTTPStatus.UNAUTHORIZED)
            case Operator() as known:
                response = await self.hall.let_in(request, caller_of(known), form)
                self.door.know_device(request, response, known.login)
                return response

    async def _end(self, visitor: Visitor) -> Response:
        await self.door.sessions.end(visitor.session.id)
        return Response()

    async def _noted(
        self, request: Request, caller: Caller, path: str, change: Callable[[], Awaitable[Response]]
    ) -> Response:
        action = f"POST {CONSOLE}{path}"
        return await self.auditor.noted(
            request, caller, via=Via.CONSOLE, action=action, change=change
        )


def _too_often(attempt: Attempt) -> ProblemError:
    log.warning("console.throttled", source=attempt.network)
    wait = (
        "Too many wrong passwords came from here, or for this login. Wait a quarter of an hour, "
        "or sign in with a browser that you signed in with before."
    )
    return ProblemError(RATE_LIMITED, wait, headers={"Retry-After": str(WINDOW_S)})


def _comes_from_elsewhere(request: Request) -> bool:
    """Whether a link on another site led here, so that the browser kept the cookie back."""
    return header(request.scope, b"sec-fetch-site") == "cross-site" and not request.cookies
