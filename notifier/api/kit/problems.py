"""Problems: every answer that is not a success, as RFC 9457 `application/problem+json`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias, TypeVar, cast

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from notifier.errors import (
    NotifierError,
    SchemaError,
    StoreBusyError,
    StoreRefusedError,
    StoreTooSlowError,
    StoreUnavailableError,
    WorkshopUnavailableError,
)
from notifier.idempotency import NotFound
from notifier.notification.model import JsonValue

Found = TypeVar("Found")

log = structlog.get_logger(__name__)

Shown: TypeAlias = Callable[[Request, Response], Response]
"""Makes a page of the answer that tells a problem."""

MEDIA_TYPE = "application/problem+json"
REQUEST_ID_KEY = "notifier.request_id"
SHOWN_KEY = "notifier.shown"
"""Of a request: how people are shown a problem, if it is not a program that asks."""
_MAX_ERRORS = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem: `code` is stable, and the end of its `type` URI."""

    status: int
    code: str
    title: str

    @property
    def type(self) -> str:
        """The URI that identifies this kind of problem."""
        return f"urn:notifier:problem:{self.code}"


MALFORMED_REQUEST = Problem(400, "malformed-request", "This is no request of HTTP/1.1")
MALFORMED_JSON = Problem(400, "malformed-json", "The body is not the JSON that was expected")
TOO_COMPLEX = Problem(400, "too-complex", "The body holds too much")
UNAUTHENTICATED = Problem(401, "unauthenticated", "A valid API key is needed")
TOKEN_EXPIRED = Problem(401, "token-expired", "The subscriber token has expired")
FORBIDDEN = Problem(403, "forbidden", "This API key does not allow that")
UNKNOWN_ORIGIN = Problem(403, "unknown-origin", "Pages of this origin may not ask")
BAD_SIGNATURE = Problem(403, "bad-signature", "The signature is missing or wrong")
NOT_FOUND = Problem(404, "not-found", "There is no such thing")
METHOD_NOT_ALLOWED = Problem(405, "method-not-allowed", "This resource has no such method")
HEAD_TIMEOUT = Problem(408, "head-timeout", "The head of the request took too long to arrive")
BODY_TIMEOUT = Problem(408, "body-timeout", "The body took too long to arrive")
WRONG_STATE = Problem(409, "wrong-state", "Its state does not allow that")
DIFFERENT_EVENT = Problem(409, "different-event", "Another event has this source and id")
BUSY = Problem(409, "busy", "The same is under way in another request")
PRECONDITION_FAILED = Problem(412, "precondition-failed", "Somebody else changed it first")
BODY_TOO_LARGE = Problem(413, "body-too-large", "The body is too large")
URL_TOO_LONG = Problem(414, "url-too-long", "The URL is too long")
UNSUPPORTED_MEDIA_TYPE = Problem(
    415, "unsupported-media-type", "The body is of a kind not taken here"
)
UNKNOWN_HOST = Problem(421, "unknown-host", "This is not served under that name")
INVALID = Problem(422, "invalid", "Some of what was sent is invalid")
KEY_REUSED = Problem(422, "idempotency-key-reused", "The Idempotency-Key was used before")
RATE_LIMITED = Problem(429, "rate-limited", "Too many requests")
HEAD_TOO_LARGE = Problem(431, "head-too-large", "The head of the request is too large")
INTERNAL = Problem(500, "internal", "notifier failed; the failure was logged")
UNAVAILABLE = Problem(503, "unavailable", "notifier cannot answer now")

CATALOGUE = (
    MALFORMED_REQUEST, MALFORMED_JSON, TOO_COMPLEX, UNAUTHENTICATED, TOKEN_EXPIRED, FORBIDDEN,
    UNKNOWN_ORIGIN, BAD_SIGNATURE, NOT_FOUND, METHOD_NOT_ALLOWED, HEAD_TIMEOUT, BODY_TIMEOUT,
    WRONG_STATE, DIFFERENT_EVENT, BUSY, PRECONDITION_FAILED, BODY_TOO_LARGE,
    URL_TOO_LONG, UNSUPPORTED_MEDIA_TYPE, UNKNOWN_HOST, INVALID, KEY_REUSED, RATE_LIMITED,
    HEAD_TOO_LARGE, INTERNAL, UNAVAILABLE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InvalidField:
    """One thing that is wrong with a request: `where` it is, and what was expected.

    `where` is a JSON pointer into the body, or the name of a parameter or header.
    """

    where: str
    detail: str
    is_parameter: bool = False

    def shown(self) -> dict[str, JsonValue]:
        """Return it as it goes over the wire."""
        return {"parameter" if self.is_parameter else "pointer": self.where, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class _More:
    errors: Sequence[InvalidField] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, JsonValue] = field(default_factory=dict)


class ProblemError(NotifierError):
    """Raised by an endpoint to answer with a problem instead."""

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *,
        errors: Sequence[InvalidField] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.more = _More(errors=errors, headers=headers or {}, members=members or {})


def invalid(errors: Sequence[InvalidField]) -> ProblemError:
    """Return the problem that names every one of `errors`, or the first hundred of them."""
    shown = errors[:_MAX_ERRORS]
    omitted = len(errors) - len(shown)
    detail = f"{len(errors)} invalid: see errors"
    return ProblemError(
        INVALID, f"{detail} (the first {len(shown)})" if omitted else detail, errors=shown
    )


def invalid_parameter(name: str, detail: str) -> ProblemError:
    """Return the problem of one invalid parameter or header."""
    return invalid([InvalidField(name, detail, is_parameter=True)])


def not_found() -> ProblemError:
    """Return the one answer for what does not exist and for what belongs to somebody else."""
    return ProblemError(NOT_FOUND, "It does not exist, or it is not yours to see.")


def there(found: Found | NotFound) -> Found:
    """Return what was found.

    Raises:
        ProblemError: 404, nothing was.
    """
    if isinstance(found, NotFound):
        raise not_found()
    return found


def problem_response(request: Request, error: ProblemError) -> Response:
    """Build the answer for `error`."""
    body = problem_body(error, request.scope.get(REQUEST_ID_KEY, "unknown"))
    return Response(body, error.problem.status, dict(error.more.headers), media_type=MEDIA_TYPE)


def problem_body(error: ProblemError, request_id: str) -> bytes:
    """Build the body of the answer for `error`."""
    problem = error.problem
    members: dict[str, JsonValue] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": error.detail,
        "instance": f"urn:notifier:request:{request_id}",
    }
    if error.more.errors:
        members["errors"] = [each.shown() for each in error.more.errors]
    members.update(error.more.members)
    return orjson.dumps(members)


def _on_problem(request: Request, error: Exception) -> Response:
    """Answer with the problem that an endpoint raised."""
    return problem_response(request, cast("ProblemError", error))


def _on_unavailable(request: Request, error: Exception) -> Response:
    """Answer that the database is away."""
    log.warning("http.database_unavailable", error=type(error).__name__, reason=str(error))
    reason = str(error)
    detail = f"{reason[:1].upper()}{reason[1:]}. Try again; with an Idempotency-Key that is safe."
    return problem_response(
        request, ProblemError(UNAVAILABLE, detail, headers={"Retry-After": "2"})
    )


def _on_no_workshop(request: Request, error: Exception) -> Response:
    """Answer that nobody can look at templates."""
    log.error("workshop.unavailable", error=type(error).__name__)
    detail = "No process can be started that looks at templates. Try again; nothing was changed."
    return problem_response(
        request, ProblemError(UNAVAILABLE, detail, headers={"Retry-After": "5"})
    )


def _on_too_slow(request: Request, error: Exception) -> Response:
    """Answer that the database gave up."""
    log.warning("http.too_slow", error=type(error).__name__)
    detail = (
        "The database needed too long. Narrow a search: by type, status, recipient or time; "
        "try anything else again."
    )
    return problem_response(
        request, ProblemError(UNAVAILABLE, detail, headers={"Retry-After": "5"})
    )


def _on_refused(request: Request, error: Exception) -> Response:
    """Answer that the database takes what was sent under no circumstances."""
    log.warning("http.refused_by_database", error=type(error).__name__)
    return problem_response(request, ProblemError(INVALID, "The database refuses a value of it."))


def _on_busy(request: Request, error: Exception) -> Response:
    """Answer that another request holds what this one needs."""
    del error
    detail = "Another request holds what this one needs. Try again shortly."
    return problem_response(request, ProblemError(BUSY, detail, headers={"Retry-After": "1"}))


def _on_http_exception(request: Request, error: Exception) -> Response:
    """Answer for the framework's own refusals: no such route, no such method."""
    http_error = cast("HTTPException", error)
    headers = dict(http_error.headers or {})
    if http_error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _on_other_method(request, headers)
    if http_error.status_code == HTTPStatus.NOT_FOUND:
        return problem_response(
            request, ProblemError(NOT_FOUND, "There is nothing at this path; see /docs.")
        )
    return internal_problem(request)


def internal_problem(request: Request) -> Response:
    """Build the answer for a failure of our own; it says nothing about its cause."""
    return problem_response(
        request, ProblemError(INTERNAL, "Quote the instance when you report this.")
    )


def _on_other_method(request: Request, headers: Mapping[str, str]) -> Response:
    allowed = {each.strip() for each in headers.get("Allow", "").split(",")} | {"OPTIONS"}
    allow = {"Allow": ", ".join(sorted(allowed - {""}))}
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
    error = ProblemError(METHOD_NOT_ALLOWED, f"It has {allow['Allow']}.", headers=allow)
    return problem_response(request, error)


_ANSWERS: Mapping[type[Exception], Callable[[Request, Exception], Response]] = {
    ProblemError: _on_problem,
    StoreUnavailableError: _on_unavailable,
    WorkshopUnavailableError: _on_no_workshop,
    StoreTooSlowError: _on_too_slow,
    SchemaError: _on_unavailable,
    StoreRefusedError: _on_refused,
    StoreBusyError: _on_busy,
    HTTPException: _on_http_exception,
}


def answer_to(request: Request, error: Exception) -> Response | None:
    """Build the answer for what was raised; None for a failure that is no problem of ours."""
    for kind in type(error).__mro__:
        if answer := _ANSWERS.get(kind):
            return answer(request, error)
    return None
