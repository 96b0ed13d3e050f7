"""Pages of the console, and what they are served with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from notifier.access.sessions import Session
from notifier.api.console.forms import MAX_FORM_BYTES, Form
from notifier.api.console.layout import CONSOLE, Layout, is_partial
from notifier.api.kit.access import Caller
from notifier.api.kit.calls import ENCODED_SLASH
from notifier.api.kit.problems import not_found


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request of somebody who is signed in and may be here; a form that came is theirs."""

    request: Request
    caller: Caller
    layout: Layout
    session: Session
    is_still_here: Callable[[], Awaitable[bool]]
    """Whether they are still signed in, and may still be here."""
    form: Form = field(default_factory=Form)

    @property
    def is_partial(self) -> bool:
        """Whether a script of the page asks, for a part of it."""
        return is_partial(self.request)

    def named(self, name: str) -> Any:
        """Return this part of the path; a text as it was before it was encoded."""
        part = self.request.path_params[name]
        return part.replace(ENCODED_SLASH, "/") if isinstance(part, str) else part

    def asked(self, name: str) -> str:
        """Return this part of the query; empty if it is not there."""
        return self.request.query_params.get(name, "").strip()

    def after(self) -> UUID | None:
        """Return the id behind which the page of a list begins; None: at the start.

        Raises:
            ProblemError: 404, it is no id.
        """
        try:
            return UUID(asked) if (asked := self.asked("after")) else None
        except ValueError:
            raise not_found() from None

    def rendered(self, name: str, values: Mapping[str, object]) -> str:
        """Return a part of a page, with these values."""
        return self.layout.rendered(self.request, name, values)

    def page(
        self,
        name: str,
        values: Mapping[str, object],
        *,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a page, or a part of one, with these values."""
        return self.layout.page(self.request, name, values, status=status, headers=headers)

    def to(self, path: str, **query: str) -> Response:
        """Lead on to a path below the console, as after a form."""
        return leading(self.request, path, query)


def leading(request: Request, path: str, query: Mapping[str, str] | None = None) -> Response:
    """Return what has a browser get another page of the console."""
    root: str = request.scope.get("root_path", "")
    asked = f"?{urlencode(query)}" if query else ""
    return RedirectResponse(f"{root}{CONSOLE}{path}{asked}", HTTPStatus.SEE_OTHER)


ServePage: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePage:
    """What is at a path below the console, for those with a scope; a POST brings a form."""

    path: str
    scope: str | None
    """None: whoever is signed in."""
    serve: ServePage
    method: str = "GET"
    changes: bool = True
    """Of a POST: whether it changes anything."""
    max_bytes: int = MAX_FORM_BYTES
    """Of the form that a POST brings."""
