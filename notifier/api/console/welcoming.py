"""The page that an invitation leads to, where operators set their passwords."""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from notifier.access.invitations import Invitations
from notifier.access.operators import Operator, OperatorStore
from notifier.access.passwords import Passwords
from notifier.api.console.door import require_same_origin
from notifier.api.console.fields import Flaws
from notifier.api.console.forms import Form, read_form
from notifier.api.console.layout import CONSOLE, Layout
from notifier.api.console.new_password import NEW, NEW_PASSWORD, flaws_of_new
from notifier.api.console.visits import leading
from notifier.api.kit.access import caller_of
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.door import network_of
from notifier.api.kit.problems import Problem, ProblemError
from notifier.api.kit.rooms import ConcurrencyLimit
from notifier.audit import Via
from notifier.clock import Clock

log = structlog.get_logger(__name__)

WELCOME: Final = "/welcome"
_TOKEN: Final = "token"  # noqa: S105  the name of a field
_OVER = Problem(HTTPStatus.GONE, "invitation-over", "This link holds no longer")
_ANOTHER = "It was used, or is older than a day. An admin makes you another."


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """Lets whoever was invited set a password."""

    layout: Layout
    operators: OperatorStore
    passwords: Passwords
    invitations: Invitations
    hashing: ConcurrencyLimit
    auditor: Auditor
    clock: Clock

    async def show(self, request: Request) -> Response:
        """Ask for a password."""
        token = request.query_params.get(_TOKEN, "")
        return self._page(request, token, await self._invited(token), {})

    async def set(self, request: Request) -> Response:
        """Set it, and lead to where they sign in."""
        require_same_origin(request)
        form = await read_form(request)
        token = form.text(_TOKEN)
        operator = await self._invited(token)
        if flaws := flaws_of_new(form, operator.login):
            return self._page(request, token, operator, flaws)
        async with self.hashing.of(network_of(request.scope)):
            kept = await self.passwords.hashed(form.secret(NEW))
        return await self.auditor.noted(
            request,
            caller_of(operator),
            via=Via.CONSOLE,
            action=f"POST {CONSOLE}{WELCOME}",
            change=partial(self._set, request, operator, kept),
        )

    async def _set(self, request: Request, operator: Operator, kept: str) -> Response:
        await self.operators.set_password(operator.login, kept)
        log.info("console.password_set", operator=operator.login)
        return leading(request, "/sign-in", {"done": "set"})

    async def _invited(self, token: str) -> Operator:
        """Return whom a link is for.

        Raises:
            ProblemError: 410, it holds no longer.
        """
        login = self.invitations.login(token)
        operator = await self.operators.find(login) if login else None
        if operator is None or not self.invitations.admits(token, operator, self.clock.now()):
            raise ProblemError(_OVER, _ANOTHER)
        return operator

    def _page(self, request: Request, token: str, operator: Operator, flaws: Flaws) -> Response:
        values = {
            "login": operator.login,
            "token": token,
            "fields": [each.shown(Form(), flaws) for each in NEW_PASSWORD],
        }
        status = HTTPStatus.UNPROCESSABLE_ENTITY if flaws else HTTPStatus.OK
        return self.layout.page(request, "welcome.html", values, status=status)
