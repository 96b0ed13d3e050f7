"""What happens around every request, as plain ASGI so that streams pass through untouched."""

import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import unquote

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notifier.api.kit.access import HEADERS_KEY, RawHeader
from notifier.api.kit.calls import ENCODED_SLASH
from notifier.api.kit.door import network_of
from notifier.api.kit.headers import header
from notifier.api.kit.origins import Origins
from notifier.api.kit.problems import (
    REQUEST_ID_KEY,
    SHOWN_KEY,
    UNAVAILABLE,
    ProblemError,
    Shown,
    answer_to,
    internal_problem,
    problem_response,
)
from notifier.api.kit.rooms import HELD_KEY, KEY_ID_KEY, LOGIN_KEY, PROBES, SERVICE_KEY, Held, Room
from notifier.api.kit.serving import ROUTE_KEY

log = structlog.get_logger(__name__)

Observe: TypeAlias = Callable[[str, str, int, float], None]
"""Is told of every request: method, route, status, and seconds until its end."""

CALLBACKS = "/callbacks/"
PUBLIC = "/u/"
"""Below it anybody is served, without a key."""

_NEVER = "\0"
"""What stands where somebody encoded what stands for a slash here: no name holds it."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FRAMES = 12
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_SECURITY_NAMES = frozenset(name for name, _ in _SECURITY_HEADERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """Where requests have their places, and their bodies."""

    requests: Room
    probes: Room
    callbacks: Room
    public: Room
    bodies: Room

    def of(self, scope: Scope) -> tuple[Room, str]:
        """Return the room of a request, and as whose it counts there."""
        path: str = scope["path"]
        if path in PROBES:
            return self.probes, ""
        if path.startswith(CALLBACKS):
            return self.callbacks, network_of(scope)
        if path.startswith(PUBLIC):
            return self.public, network_of(scope)
        return self.requests, ""


class RequestFrame:
    """Names every request, answers for failures, adds headers and writes the access log.

    The log holds the route, never the path, the query or the client's address: paths of inboxes
    hold recipients. Paths under one of `slashes_under` may have encoded slashes within a segment.
    """

    def __init__(
        self,
        app: ASGIApp,
        rooms: Rooms,
        observe: Observe | None,
        *,
        slashes_under: Sequence[str],
        origins: Origins,
    ) -> None:
        self._origins = origins
        self._slashes_under = tuple(f"{each}/" for each in slashes_under)
        self._app = app
        self._observe = observe
        self._rooms = rooms

    def note_refusal(self, error: ProblemError) -> None:
        """Note what was answered to somebody whose request came no further than the door."""
        status = error.problem.status
        log.info("http.turned_away", status=status, code=error.problem.code)
        if self._observe:
            self._observe("", "none", status, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[REQUEST_ID_KEY] = _request_id(scope)
        if scope["path"].startswith(self._slashes_under):
            _keep_encoded_slashes(scope)
        response = _Response(scope, send, self._origins.headers(scope))
        started_s = time.perf_counter()
        # Nothing takes it back: the server runs each request in a context of its own.
        structlog.contextvars.bind_contextvars(request_id=scope[REQUEST_ID_KEY])
        try:
            await self._serve(scope, receive, response)
        finally:
            self._note(scope, response.status, time.perf_counter() - started_s)

    def _note(self, scope: Scope, status: int | None, duration_s: float) -> None:
        route: str = scope.get(ROUTE_KEY, "none")
        answered = HTTPStatus.INTERNAL_SERVER_ERROR.value if status is None else status
        _log_access(scope, route, answered, duration_s)
        if self._observe:
            self._observe(scope["method"], route, answered, duration_s)

    async def _serve(self, scope: Scope, receive: Receive, response: "_Response") -> None:
        if preflight := self._origins.preflight(scope):
            scope[ROUTE_KEY] = "preflight"
            await preflight(scope, receive, response.send)
            return
        room, visitor = self._rooms.of(scope)
        if not room.take(visitor):
            await _overloaded(scope)(scope, receive, response.send)
            return
        held = scope[HELD_KEY] = Held(self._rooms.bodies)
        # An answer that waits for its reader is no work: its place is for the next request.
        response.on_start = partial(room.give_back, visitor)
        try:
            await self._app(scope, receive, response.send)
        except Exception as error:  # noqa: BLE001 - the edge: every failure gets an answer
            await _answer(error, scope, receive, response)
            _let_go(error)
        finally:
            response.on_start()
            held.release()


class _Response:
    """The answer on its way out."""

    def __init__(self, scope: Scope, send: Send, more: Sequence[RawHeader]) -> None:
        self._scope = scope
        self._more = more
        self._send = send
        self.status: int | None = None
        self.on_start: Callable[[], None] = _nothing

    async def send(self, message: Message) -> None:
        """Add the headers that every answer has, and pass it on."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self.on_start()
            self.on_start = _nothing
            message["headers"] = self._headers(message["headers"])
        await self._send(message)

    def _headers(self, given: Iterable[RawHeader]) -> list[RawHeader]:
        headers = list(given)
        present = {name for name, _ in headers}
        if present.isdisjoint(_SECURITY_NAMES):
            headers += _SECURITY_HEADERS
        else:
            headers += [each for each in _SECURITY_HEADERS if each[0] not in present]
        if b"cache-control" not in present:
            # What has an ETag may be kept and asked after; nothing else may be kept.
            headers.append((b"cache-control", b"no-cache" if b"etag" in present else b"no-store"))
        headers += self._scope.get(HEADERS_KEY, ())
        headers += self._more
        headers.append((b"x-request-id", self._scope[REQUEST_ID_KEY].encode()))
        return headers


def _nothing() -> None:
    """Do nothing."""


def _request_id(scope: Scope) -> str:
    given = header(scope, b"x-request-id")
    return given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def _keep_encoded_slashes(scope: Scope) -> None:
    """Let a segment hold a slash: servers decode %2F before the router splits the path."""
    raw: bytes = scope.get("raw_path") or b""
    parts = re.split(r"%2f", raw.decode("ascii").partition("?")[0], flags=re.IGNORECASE)
    if len(parts) > 1:
        scope["path"] = ENCODED_SLASH.join(_decoded(part) for part in parts)
    elif ENCODED_SLASH in scope["path"]:
        scope["path"] = scope["path"].replace(ENCODED_SLASH, _NEVER)


def _decoded(part: str) -> str:
    return unquote(part).replace(ENCODED_SLASH, _NEVER)


def _overloaded(scope: Scope) -> ASGIApp:
    error = ProblemError(
        UNAVAILABLE, "Too many requests are under way.", headers={"Retry-After": "1"}
    )
    return problem_response(Request(scope), error)


async def _answer(error: Exception, scope: Scope, receive: Receive, response: _Response) -> None:
    request = Request(scope)
    answer = answer_to(request, error)
    if answer is None:
        _log_failure(error)
        answer = internal_problem(request)
    if response.status is None:
        shown: Shown | None = scope.get(SHOWN_KEY)
        await (shown(request, answer) if shown else answer)(scope, receive, response.send)


def _let_go(error: BaseException | None) -> None:
    """Free what led to it: its frames hold the body, and one of them the error itself.

    Left to the collector, a hundred refused bodies stay at a time.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _log_failure(error: Exception) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    # Where and what kind, but not the message: drivers put parameters into theirs.
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-_FRAMES:]]
    log.error("http.failed", error=type(error).__qualname__, where=where)


def _log_access(scope: Scope, route: str, status: int, duration_s: float) -> None:
    if route in PROBES and status == HTTPStatus.OK:
        # Each container asks for its own every few seconds.
        return
    log.info(
        "http.request",
        method=scope["method"],
        route=route,
        service=scope.get(SERVICE_KEY) or None,
        key_id=scope.get(KEY_ID_KEY) or None,
        operator=scope.get(LOGIN_KEY) or None,
        status=status,
        duration_ms=round(duration_s * 1_000, 1),
    )
