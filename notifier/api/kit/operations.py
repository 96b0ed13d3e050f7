"""One declaration per endpoint: the router and the OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel
from starlette.responses import Response

from notifier.api.kit.calls import Call
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
    MALFORMED_REQUEST,
    RATE_LIMITED,
    TOKEN_EXPIRED,
    TOO_COMPLEX,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    URL_TOO_LONG,
    Problem,
)
from notifier.api.kit.querying import QueryModel
from notifier.api.kit.uploads import UploadRules
from notifier.notification.model import JsonValue

Serve: TypeAlias = Callable[[Call[Any, Any]], Awaitable[Response]]
Check: TypeAlias = Callable[[JsonValue], object]
_OF_ANY_REQUEST = (HEAD_TIMEOUT, URL_TOO_LONG, HEAD_TOO_LARGE, INTERNAL, UNAVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is no problem."""

    description: str
    model: type[BaseModel] | None = None
    event: type[BaseModel] | None = None
    """What each event of a stream holds."""
    media_types: tuple[str, ...] = ("application/json",)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderParameter:
    """A request header that an operation understands."""

    name: str
    description: str
    schema: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An endpoint, and what it is served with.

    `scope` None means that it needs no API key. `body` and `query` are read and checked before it
    is served; `check` does so in a way of its own, and returns a list of what is wrong.
    """

    id: str
    method: str
    path: str
    summary: str
    tag: str
    serve: Serve
    replies: Mapping[int, Reply]
    description: str = ""
    scope: str | None = None
    is_for_subscribers: bool = False
    """A subscriber token lets in too; whose inbox it opens is the endpoint's to check."""
    body: type[BaseModel] | None = None
    bodies: Mapping[str, JsonValue] = field(default_factory=dict)
    """The schema of its body by media type, where it takes others than application/json."""
    check: Check | None = None
    decode: Callable[[bytes], object] | None = None
    """The short way from a body's bytes to what `check` returns; None where it takes that."""
    max_values: int = 20
    """JSON values in the body, at most."""
    max_bytes: int | None = None
    """Bytes of the body, at most; None for what the API takes of any."""
    upload: UploadRules | None = None
    """It takes a file instead of JSON: the call's body is an `Upload`."""
    query: type[QueryModel] | None = None
    headers: tuple[HeaderParameter, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_idempotent: bool = field(default=False)
    is_gathered: bool = field(default=False)
    """It changes what the store writes for many callers in one statement."""

    @property
    def is_audited(self) -> bool:
        """Whether it is noted who asks for it: for a change that is none of the daily traffic."""
        changes = self.scope is not None and self.method != "GET"
        return changes and not self.is_gathered and not self.is_for_subscribers

    def all_problems(self) -> tuple[Problem, ...]:
        """Return every problem that it may answer with."""
        found = [*self.problems, *_OF_ANY_REQUEST]
        if self.scope:
            found += [UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED]
        if self.is_for_subscribers:
            found.append(TOKEN_EXPIRED)
        if self.body:
            found += [MALFORMED_JSON, UNSUPPORTED_MEDIA_TYPE, INVALID, TOO_COMPLEX]
        if self.upload:
            found += [MALFORMED_REQUEST, UNSUPPORTED_MEDIA_TYPE, INVALID]
        if self.body or self.method == "POST":
            found += [BODY_TIMEOUT, BODY_TOO_LARGE]
        if self.is_idempotent:
            found += [BUSY, KEY_REUSED, INVALID]
        if self.query or self.headers:
            found.append(INVALID)
        return tuple(dict.fromkeys(found))
