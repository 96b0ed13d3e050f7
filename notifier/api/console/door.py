"""Who may come into the console: a session, and forms that nobody else can have posted."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from notifier.access.sessions import Session, Sessions
from notifier.api.console.forms import Form
from notifier.api.console.layout import CONSOLE, Visitor
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.headers import header
from notifier.api.kit.problems import Problem, ProblemError
from notifier.clock import Clock

COOKIE = "notifier_console"
FORGED = Problem(403, "forged", "This form did not come from a page of ours")
TOKEN = "token"  # noqa: S105  the name of a field
_OWN = ("same-origin", "none")


@dataclass(frozen=True, slots=True)
class Door:
    """Knows sessions by their cookies."""

    doorkeeper: Doorkeeper
    sessions: Sessions
    clock: Clock

    async def visitor(self, request: Request) -> Visitor | None:
        """Return who is signed in; None if nobody is, or no longer.

        Raises:
            ProblemError: 429, they ask too often.
        """
        session = self.sessions.session(request.cookies.get(COOKIE, ""))
        if session is None or session.has_ended(self.clock.now()):
            return None
        caller = await self.doorkeeper.admit_session(request, session.key_id)
        if caller is None:
            return None
        return Visitor(caller, session, self.sessions.form_token(session))

    def require_own(self, request: Request, visitor: Visitor, form: Form) -> None:
        """Let only forms go on that this session was shown.

        Raises:
            ProblemError: 403.
        """
        require_same_origin(request)
        if not self.sessions.is_form_token(visitor.session, form.text(TOKEN)):
            raise ProblemError(FORGED, "The form is of another session. Go back and load it anew.")

    def begin(self, request: Request, response: Response, key_id: str) -> None:
        """Have the browser keep a new session of this key."""
        self._keep(request, response, Session.begun(key_id, self.clock.now()))

    def renew(self, request: Request, response: Response, visitor: Visitor) -> None:
        """Let a session that is used go on."""
        now: datetime = self.clock.now()
        if renewed := visitor.session.renewed(now):
            self._keep(request, response, renewed)

    def end(self, request: Request, response: Response) -> None:
        """Have the browser forget the session."""
        response.delete_cookie(COOKIE, path=_path(request), httponly=True, samesite="strict")

    def _keep(self, request: Request, response: Response, session: Session) -> None:
        response.set_cookie(
            COOKIE,
            self.sessions.cookie(session),
            path=_path(request),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )


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


def _is_of(origin: str, host: str) -> bool:
    """Whether it is of this host; browsers that tell neither origin nor site are let through."""
    return not origin or urlsplit(origin).netloc.lower() == host.lower()


def _path(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return f"{root}{CONSOLE}"
