"""Answers: what a success is told with."""

from collections.abc import Mapping
from dataclasses import field
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from notifier.api.kit.views import View
from notifier.notification.model import JsonValue
from notifier.value import value


@value
class Answer:
    """An answer as it is kept: known before its effect, and stored with it."""

    status: int
    body: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def stored(self) -> str:
        """Return it as text."""
        members = {"status": self.status, "body": self.body, "headers": dict(self.headers)}
        return orjson.dumps(members).decode()

    def response(self) -> Response:
        """Return it as a response."""
        if self.body is None:
            return Response(status_code=self.status, headers=dict(self.headers))
        return _JsonResponse(self.status, orjson.dumps(self.body), self.headers)


class _JsonResponse(Response):
    """A JSON answer whose headers are written down, not negotiated."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *(
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers.items()
            ),
        ]


def location(request: Request, path: str) -> str:
    """Return a path of ours as this client names it: it may come through a proxy's own."""
    return f"{request.scope.get('root_path', '')}{path}"


def ok(view: View, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that shows `view`."""
    return Answer(status=HTTPStatus.OK, body=view.json_value(), headers=headers or {}).response()
