"""Coming in by an identity provider: there, and back again."""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from notifier.access.openid import JOURNEY_S, IdentityError, Journey, Journeys
from notifier.access.operators import Operator
from notifier.api.console.forms import Form
from notifier.api.console.layout import CONSOLE
from notifier.api.console.letting_in import ELSEWHERE, Hall
from notifier.api.kit.access import caller_of
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.door import network_of
from notifier.api.kit.problems import not_found
from notifier.api.kit.rooms import ConcurrencyLimit
from notifier.api.ports import Elsewhere
from notifier.audit import Via
from notifier.clock import Clock

log = structlog.get_logger(__name__)

BACK: Final = f"{ELSEWHERE}/back"
_COOKIE: Final = "notifier_journey"
_NO_ROLE: Final = "You are known there, but have no role here: ask whoever runs notifier."
_OUT: Final = "You are let in here no longer: ask an admin."
_OVER: Final = "That took too long, or began in another browser. Begin again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningOn:
    """Sends people to their provider, and takes its word for who they are."""

    elsewhere: Elsewhere | None
    hall: Hall
    journeys: Journeys
    asking: ConcurrencyLimit
    """How often one network has the provider asked, at once."""
    auditor: Auditor
    clock: Clock

    async def leave(self, request: Request) -> Response:
        """Send somebody to the provider."""
        elsewhere = self._elsewhere()
        journey = Journey.begun(request.query_params.get("next", ""), self.clock.now())
        try:
            async with self.asking.of(network_of(request.scope)):
                url = await elsewhere.provider.way_there(journey, _back(request))
        except IdentityError as error:
            return await self._refused(request, str(error))
        response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
        response.set_cookie(
            _COOKIE,
            self.journeys.cookie(journey),
            max_age=JOURNEY_S,
            path=_path(request),
            secure=request.url.scheme == "https",
            httponly=True,
            # They come back from another site.
            samesite="lax",
        )
        return response

    async def come_back(self, request: Request) -> Response:
        """Let in whom the provider knows."""
        response = await self._come_back(request)
        response.delete_cookie(_COOKIE, path=_path(request), httponly=True, samesite="lax")
        return response

    async def _come_back(self, request: Request) -> Response:
        elsewhere, asked, now = self._elsewhere(), request.query_params, self.clock.now()
        cookie = request.cookies.get(_COOKIE, "")
        journey = self.journeys.journey(cookie, asked.get("state", ""), now)
        if journey is None:
            return await self._refused(request, _OVER)
        if "code" not in asked:
            return await self._refused(request, "the identity provider does not let you in")
        try:
            async with self.asking.of(network_of(request.scope)):
                identity = await elsewhere.provider.identity(journey, asked["code"], _back(request))
        except IdentityError as error:
            return await self._refused(request, str(error))
        operator = await elsewhere.newcomers.operator(identity, now)
        if operator is None or operator.disabled_at is not None:
            return await self._refused(request, _OUT if operator else _NO_ROLE)
        return await self._noted(request, operator, journey)

    async def _noted(self, request: Request, operator: Operator, journey: Journey) -> Response:
        return await self.auditor.noted(
            request,
            caller_of(operator),
            via=Via.CONSOLE,
            action=f"GET {CONSOLE}{BACK}",
            change=partial(self._let_in, request, operator, journey),
        )

    async def _let_in(self, request: Request, operator: Operator, journey: Journey) -> Response:
        if not await self._elsewhere().newcomers.keep(operator):
            return await self._refused(request, _OVER)
        form = Form({"next": [journey.wanted]})
        return await self.hall.let_in(request, caller_of(operator), form)

    async def _refused(self, request: Request, why: str) -> Response:
        log.warning("console.sign_on_failed", source=network_of(request.scope), reason=why)
        words = f"{why[:1].upper()}{why[1:].rstrip('.')}."
        flaws = {"elsewhere": words}
        return await self.hall.asking(request, Form(), flaws, HTTPStatus.UNAUTHORIZED)

    def _elsewhere(self) -> Elsewhere:
        """Return where one signs in.

        Raises:
            ProblemError: 404, nowhere.
        """
        if self.elsewhere is None:
            raise not_found()
        return self.elsewhere


def _path(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return f"{root}{CONSOLE}{ELSEWHERE}"


def _back(request: Request) -> str:
    """Return the URL that the provider is to send people to; it has to know it, too."""
    return f"{request.url.scheme}://{request.url.netloc}{_path(request)}/back"
