"""Which pages may ask through a browser (CORS): those of the origins that are allowed, exactly.

Nothing here lets anybody in: that takes a key or a token, which no browser adds by itself.
"""

from collections.abc import Collection, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from notifier.api.kit.access import RawHeader
from notifier.api.kit.headers import header
from notifier.api.kit.problems import UNKNOWN_ORIGIN, ProblemError, problem_response

_VARY = (b"vary", b"Origin")
_EXPOSED = (
    b"access-control-expose-headers",
    b"RateLimit, RateLimit-Policy, Retry-After, X-Request-ID",
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
    "Access-Control-Max-Age": "7200",
}


class Origins:
    """The origins whose pages may ask for what is `under` a path."""

    def __init__(self, allowed: Collection[str], *, under: str) -> None:
        self._allowed = frozenset(allowed)
        self._under = f"{under}/"

    def headers(self, scope: Scope) -> Sequence[RawHeader]:
        """Return what each answer to this request says of origins."""
        if not self._is_shared(scope):
            return ()
        origin = header(scope, b"origin")
        if origin not in self._allowed:
            return (_VARY,)
        return (_VARY, (b"access-control-allow-origin", origin.encode()), _EXPOSED)

    def preflight(self, scope: Scope) -> Response | None:
        """Return the answer to a browser that asks whether a page may; None if it asks nothing."""
        is_question = scope["method"] == "OPTIONS" and header(
            scope, b"access-control-request-method"
        )
        if not is_question or not self._is_shared(scope):
            return None
        if header(scope, b"origin") in self._allowed:
            return Response(status_code=204, headers=_PREFLIGHT)
        error = ProblemError(
            UNKNOWN_ORIGIN, "Add the page's origin to NOTIFIER_API__ALLOWED_ORIGINS, as it is sent."
        )
        return problem_response(Request(scope), error)

    def _is_shared(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return bool(self._allowed) and path.startswith(self._under)
