"""Who may come into the console: a session, and forms that nobody else can have posted."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from notifier.access.operators import Operator
from notifier.access.sessions import Session, SessionSecrets, SessionStore
from notifier.access.throttling import Devices
from notifier.api.console.forms import Form
from notifier.api.console.layout import CONSOLE, Visitor
from notifier.api.kit.access import Caller, Doorkeeper
from notifier.api.kit.headers import header
from notifier.api.kit.problems import Problem, ProblemError
from notifier.clock import Clock

COOKIE = "notifier_console"
DEVICE_COOKIE = "notifier_device"
FORGED = Problem(403, "forged", "This form did not come from a page of ours")
TOKEN = "token"  # noqa: S105  the name of a field
_OWN = ("same-origin", "none")
_DEVICE_KEPT_S = 400 * 86_400
"""As long as browsers keep any cookie (RFC 6265bis, 5.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Knows sessions by their cookies, and browsers in which operators signed in."""

    doorkeeper: Doorkeeper
    secrets: SessionSecrets
    sessions: SessionStore
    devices: Devices
    clock: Clock

    async def visitor(self, request: Request) -> Visitor | None:
        """Return who is signed in; None if nobody is, or no longer.

        Raises:
            ProblemError: 429, they ask too often.
        """
        id = self.secrets.id_of(request.cookies.get(COOKIE, ""))
        found = await self.sessions.find(id) if id else None
        if found is None:
            return None
        session, operator = found
        now = self.clock.now()
        caller = None if session.has_ended(now) else await self._caller(request, session, operator)
        if caller is None:
            return None
        if renewed := session.renewed(now):
            await self.sessions.renew(renewed)
        return Visitor(caller, session, self.secrets.form_token(session.id))

    def require_own(self, request: Request, visitor: Visitor, form: Form) -> None:
        """Let only forms go on that this session was shown.

        Raises:
            ProblemError: 403.
        """
        require_same_origin(request)
        if not self.secrets.is_form_token(visitor.session.id, form.text(TOKEN)):
            raise ProblemError(FORGED, "The form is of another session. Go back and load it anew.")

    async def begin(self, request: Request, response: Response, caller: Caller) -> None:
        """Begin a session, and have the browser keep it."""
        cookie = self.secrets.mint()
        session = Session.begun(
            self.secrets.id_of(cookie) or "",
            self.clock.now(),
            key_id=caller.key_id,
            login=caller.login,
            source=request.client.host if request.client else "unknown",
            agent=header(request.scope, b"user-agent"),
        )
        await self.sessions.begin(session)
        _keep(request, response, COOKIE, cookie)

    def device(self, request: Request, login: str) -> str | None:
        """Return which browser it is, if this operator signed in with it before."""
        return self.devices.device(request.cookies.get(DEVICE_COOKIE, ""), login)

    def know_device(self, request: Request, response: Response, login: str) -> None:
        """Have the browser keep that this operator signed in with it."""
        cookie = self.devices.cookie(login, self.device(request, login))
        _keep(request, response, DEVICE_COOKIE, cookie, kept_s=_DEVICE_KEPT_S)

    async def _caller(
        self, request: Request, session: Session, operator: Operator | None
    ) -> Caller | None:
        if session.key_id:
            return await self.doorkeeper.admit_key(request, session.key_id)
        if operator is None or operator.disabled_at is not None:
            return None
        return self.doorkeeper.admit_operator(request, operator)


def forget_session(request: Request, response: Response) -> None:
    """Have the browser forget its session."""
    response.delete_cookie(COOKIE, path=_path(request), httponly=True, samesite="strict")


def require_same_origin(request: Request) -> None:
    """Refuse what a page of somebody else's has a browser post.

    Raises:
        ProblemError: 403.
    """
    site = header(request.scope, b"sec-fetch-site")
    origin = header(request.scope, b"origin")
    is_own = site in _OWN if site else _is_of(origin, header(request.scope, b"host"))
    if not is_own:
        raise ProblemError(FORGED, "It was sent by a page of somebody else's.")


def _keep(
    request: Request, response: Response, name: str, cookie: str, *, kept_s: int | None = None
) -> None:
    response.set_cookie(
        name,
        cookie,
        max_age=kept_s,
        path=_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _is_of(origin: str, host: str) -> bool:
    """Whether it is of this host; browsers that tell neither origin nor site are let through."""
    return not origin or urlsplit(origin).netloc.lower() == host.lower()


def _path(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return f"{root}{CONSOLE}"
