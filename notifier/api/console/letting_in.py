"""The page on which people sign in, and the session that begins with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from notifier.access.operators import OperatorStore
from notifier.api.console.door import Door
from notifier.api.console.forms import Form
from notifier.api.console.layout import CONSOLE, Layout
from notifier.api.console.visits import leading
from notifier.api.kit.access import Caller

ELSEWHERE = "/sign-in/elsewhere"
_FIELDS = ("login", "password", "key", "elsewhere")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """Asks people who they are, and leads in whoever is known."""

    door: Door
    layout: Layout
    operators: OperatorStore
    takes_keys: bool
    elsewhere: str = ""
    """What the button to sign in elsewhere says; empty: there is none."""

    async def asking(
        self,
        request: Request,
        form: Form,
        flaws: Mapping[str, str] | None = None,
        status: int = HTTPStatus.OK,
    ) -> Response:
        """Return the page, with what was wrong at its fields."""
        wrong = {name: (flaws or {}).get(name, "") for name in _FIELDS}
        values = {
            "next": form.text("next"),
            "login": form.text("login"),
            "wrong": wrong,
            "done": "" if flaws else request.query_params.get("done", ""),
            "takes_keys": self.takes_keys,
            "elsewhere": self.elsewhere,
            "has_operators": await self.operators.is_any(),
        }
        return self.layout.page(request, "sign_in.html", values, status=status)

    async def let_in(self, request: Request, caller: Caller, form: Form) -> Response:
        """Begin a session, and lead to where somebody wanted to go."""
        if not self.layout.open_to(caller.scopes):
            needed = ", ".join(self.layout.scopes)
            too_little = {"key": f"This key opens no page: it needs one of the scopes {needed}."}
            return await self.asking(request, form, too_little, HTTPStatus.FORBIDDEN)
        wanted = form.text("next")
        is_ours = _is_within(request, wanted)
        response = (
            RedirectResponse(wanted, HTTPStatus.SEE_OTHER) if is_ours else leading(request, "")
        )
        await self.door.begin(request, response, caller)
        log.info("console.signed_in", **named(caller))
        return response


def named(caller: Caller) -> Mapping[str, str]:
    """Return who it is, as the log names them."""
    who = {"operator": caller.login} if caller.login else {"key_id": caller.key_id}
    return {"service": caller.service, **who}


def _is_within(request: Request, path: str) -> bool:
    """Whether it is a page of ours, and of nobody else."""
    inside = f"{request.scope.get('root_path', '')}{CONSOLE}/"
    is_plain = path.isascii() and path.isprintable() and "\\" not in path
    return path.startswith(inside) and is_plain
