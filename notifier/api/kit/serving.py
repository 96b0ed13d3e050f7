"""Serving operations: each request is let in, read and checked before its endpoint sees it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from notifier.api.kit.access import ANYBODY, Caller, Doorkeeper
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.body import (
    parse_json,
    read_body,
    read_empty_body,
    require_json,
    require_media_type,
)
from notifier.api.kit.calls import Call
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.idempotency import Keeping
from notifier.api.kit.operations import Operation
from notifier.api.kit.problems import invalid
from notifier.api.kit.querying import read_query
from notifier.api.kit.rooms import KEY_ID_KEY, SERVICE_KEY
from notifier.api.kit.uploads import begin_upload
from notifier.audit import Via
from notifier.idempotency import Once

ROUTE_KEY = "notifier.route"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Reads what operations declare, and serves them."""

    once: Once
    auditor: Auditor
    pepper: bytes = field(repr=False)
    max_body_bytes: int
    body_timeout_s: float

    async def serve(self, operation: Operation, request: Request, caller: Caller) -> Response:
        """Read and check the request, and answer it; who asks for a change is noted."""
        serve = partial(self._serve, operation, request, caller)
        if not operation.is_audited:
            return await serve()
        return await self.auditor.noted(
            request, caller, via=Via.API, action=operation.id, change=serve
        )

    async def _serve(self, operation: Operation, request: Request, caller: Caller) -> Response:
        query = read_query(operation.query, request) if operation.query else None
        body = await self._read(operation, request)
        keeping = None
        if operation.is_idempotent:
            keeping = Keeping(
                request=request, caller=caller, body=body, pepper=self.pepper, once=self.once
            )
        content: Any = None
        if operation.upload:
            content = begin_upload(request, operation.upload)
        elif operation.body is not None:
            content = _checked(operation, operation.body, body)
        if isinstance(content, list):
            call = Call(request=request, caller=caller, body=None, query=query, keeping=keeping)
            return await call.refuse(invalid(content))
        return await operation.serve(
            Call(request=request, caller=caller, body=content, query=query, keeping=keeping)
        )

    async def _read(self, operation: Operation, request: Request) -> bytes:
        if operation.upload:
            return b""
        if operation.body is not None:
            if operation.bodies:
                require_media_type(request.scope, operation.bodies)
            else:
                require_json(request.scope)
            limit = operation.max_bytes or self.max_body_bytes
            return await read_body(request, max_bytes=limit, timeout_s=self.body_timeout_s)
        if operation.is_idempotent:
            return await read_empty_body(request, timeout_s=self.body_timeout_s)
        return b""


def _checked(operation: Operation, model: type[BaseModel], body: bytes) -> object:
    """Return what is in a body; a list of what is wrong with it otherwise."""
    decoded = operation.decode(body) if operation.decode else None
    if decoded is not None:
        return decoded
    value = parse_json(body, max_values=operation.max_values)
    return operation.check(value) if operation.check else read_strictly(model, value)


def routes(operations: Iterable[Operation], doorkeeper: Doorkeeper, desk: Desk) -> Sequence[Route]:
    """Return the routes that serve `operations` to those let in, one for each path.

    One route knows all methods of its path, and can tell them to who asks for another.
    """
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [_route(path, found, doorkeeper, desk) for path, found in by_path.items()]


def _route(path: str, operations: Sequence[Operation], doorkeeper: Doorkeeper, desk: Desk) -> Route:
    by_method = {each.method: each for each in operations}
    endpoint = _Endpoint(by_method, doorkeeper, desk)
    return Route(path, endpoint, methods=list(by_method), name=operations[0].id)


class _Endpoint:
    """Serves the operations of one path, as plain ASGI: the router adds nothing around it."""

    def __init__(
        self, by_method: Mapping[str, Operation], doorkeeper: Doorkeeper, desk: Desk
    ) -> None:
        self._by_method = by_method
        self._doorkeeper = doorkeeper
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        operation = self._by_method["GET" if request.method == "HEAD" else request.method]
        scope[ROUTE_KEY] = operation.path
        if operation.scope is None:
            response = await self._desk.serve(operation, request, ANYBODY)
        else:
            caller = await self._doorkeeper.admit(
                request, operation.scope, takes_tokens=operation.is_for_subscribers
            )
            scope[SERVICE_KEY], scope[KEY_ID_KEY] = caller.service, caller.key_id
            response = await self._answer(operation, request, caller)
        await response(scope, receive, send)

    async def _answer(self, operation: Operation, request: Request, caller: Caller) -> Response:
        doorkeeper = self._doorkeeper
        doorkeeper.enter(caller)
        try:
            if operation.is_gathered:
                return await self._desk.serve(operation, request, caller)
            async with self._turn(operation, caller):
                return await self._desk.serve(operation, request, caller)
        finally:
            doorkeeper.leave(caller)

    def _turn(self, operation: Operation, caller: Caller) -> AbstractAsyncContextManager[None]:
        if operation.upload:
            return self._doorkeeper.uploading(caller)
        is_reading = operation.method == "GET"
        return self._doorkeeper.reading(caller) if is_reading else self._doorkeeper.changing(caller)
