"""One declaration per endpoint: the router and the OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from notifier.api.kit.access import ANYBODY, Caller, Doorkeeper
from notifier.api.kit.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    BUSY,
    FORBIDDEN,
    HEAD_TIMEOUT,
    HEAD_TOO_LARGE,
    INTERNAL,
    INVALID,
    KEY_REUSED,
    MALFORMED_JSON,
    RATE_LIMITED,
    TOO_COMPLEX,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    URL_TOO_LONG,
    Problem,
)
from notifier.api.kit.rooms import SERVICE_KEY

Handler: TypeAlias = Callable[[Request, Caller], Awaitable[Response]]
_OF_ANY_REQUEST = (HEAD_TIMEOUT, URL_TOO_LONG, HEAD_TOO_LARGE, INTERNAL, UNAVAILABLE)
ROUTE_KEY = "notifier.route"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is no problem."""

    description: str
    model: type[BaseModel] | None = None
    event: type[BaseModel] | None = None
    """What each event of a stream holds."""
    media_type: str = "application/json"
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderParameter:
    """A request header that an operation understands."""

    name: str
    description: str
    schema: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An endpoint. `scope` None means that it needs no API key."""

    id: str
    method: str
    path: str
    summary: str
    tag: str
    handler: Handler
    replies: Mapping[int, Reply]
    description: str = ""
    scope: str | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: tuple[HeaderParameter, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_idempotent: bool = field(default=False)
    is_gathered: bool = field(default=False)
    """It changes what the store writes for many callers in one statement."""

    def all_problems(self) -> tuple[Problem, ...]:
        """Return every problem that it may answer with."""
        found = [*self.problems, *_OF_ANY_REQUEST]
        if self.scope:
            found += [UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED]
        if self.body:
            found += [MALFORMED_JSON, UNSUPPORTED_MEDIA_TYPE, INVALID, TOO_COMPLEX]
        if self.method == "POST":
            found += [BODY_TIMEOUT, BODY_TOO_LARGE]
        if self.is_idempotent:
            found += [BUSY, KEY_REUSED, INVALID]
        if self.query or self.headers:
            found.append(INVALID)
        return tuple(dict.fromkeys(found))


def public(handler: Callable[[Request], Awaitable[Response]]) -> Handler:
    """Make a handler of one that does not care who asks."""

    async def handle(request: Request, caller: Caller) -> Response:
        del caller
        return await handler(request)

    return handle


def routes(operations: Iterable[Operation], doorkeeper: Doorkeeper) -> Sequence[Route]:
    """Return the routes that serve `operations` to those that `gate` lets in, one for each path.

    One route knows all methods of its path, and can tell them to who asks for another.
    """
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [_route(path, found, doorkeeper) for path, found in by_path.items()]


def _route(path: str, operations: Sequence[Operation], doorkeeper: Doorkeeper) -> Route:
    by_method = {each.method: each for each in operations}

    return Route(
        path, _Endpoint(by_method, doorkeeper), methods=list(by_method), name=operations[0].id
    )


class _Endpoint:
    """Serves the operations of one path, as plain ASGI: the router adds nothing around it."""

    def __init__(self, by_method: Mapping[str, Operation], doorkeeper: Doorkeeper) -> None:
        self._by_method = by_method
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        operation = self._by_method["GET" if request.method == "HEAD" else request.method]
        scope[ROUTE_KEY] = operation.path
        if operation.scope is None:
            response = await operation.handler(request, ANYBODY)
        else:
            caller = await self._doorkeeper.admit(request, operation.scope)
            scope[SERVICE_KEY] = caller.service
            response = await self._answer(operation, request, caller)
        await response(scope, receive, send)

    async def _answer(self, operation: Operation, request: Request, caller: Caller) -> Response:
        doorkeeper = self._doorkeeper
        doorkeeper.enter(caller)
        try:
            if operation.is_gathered:
                return await operation.handler(request, caller)
            is_reading = operation.method == "GET"
            async with doorkeeper.reading(caller) if is_reading else doorkeeper.changing(caller):
                return await operation.handler(request, caller)
        finally:
            doorkeeper.leave(caller)
