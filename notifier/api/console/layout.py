"""What all pages of the console share, and what people are shown when something fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from notifier.access.sessions import Session
from notifier.api.kit.access import Caller
from notifier.api.kit.headers import header
from notifier.api.kit.page import Pages
from notifier.api.kit.problems import MEDIA_TYPE

CONSOLE = "/console"
VISITOR_KEY = "notifier.visitor"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    # Without it browsers send forms of ours with the origin null.
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the console, for those with its scope."""

    title: str
    path: str
    """Below the console."""
    scope: str


@dataclass(frozen=True, slots=True)
class Group:
    """Sections that stand together in the navigation."""

    title: str
    sections: Sequence[Section]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in."""

    caller: Caller
    session: Session
    form_token: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Puts pages into their frame: where one can go, and who is signed in."""

    pages: Pages
    groups: Sequence[Group]

    @property
    def scopes(self) -> Sequence[str]:
        """Each of which opens a section, sorted."""
        return sorted({each.scope for group in self.groups for each in group.sections})

    def open_to(self, scopes: frozenset[str]) -> Sequence[Section]:
        """Return the sections that somebody with these scopes may use."""
        every = (each for group in self.groups for each in group.sections)
        return [each for each in every if each.scope in scopes]

    def page(
        self,
        request: Request,
        name: str,
        values: Mapping[str, object],
        *,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a page, or a part of one, with all that its frame says."""
        html = self.rendered(request, name, values)
        return HTMLResponse(html, status, {**_HEADERS, **(headers or {})})

    def rendered(self, request: Request, name: str, values: Mapping[str, object]) -> str:
        """Return a page, or a part of one, as text."""
        return self.pages.rendered(name, {**self._framing(request), **values})

    def shown(self, request: Request, answer: Response) -> Response:
        """Show a problem to people, if it is one: as a part of a page where one was asked for."""
        if answer.media_type != MEDIA_TYPE:
            return answer
        name = "problem.html" if is_partial(request) else "failed.html"
        kept = {"retry-after", "allow", "connection"}
        headers = {each: value for each, value in answer.headers.items() if each in kept}
        told = {"errors": (), **orjson.loads(answer.body)}
        return self.page(request, name, told, status=answer.status_code, headers=headers)

    def _framing(self, request: Request) -> Mapping[str, object]:
        root: str = request.scope.get("root_path", "")
        visitor: Visitor | None = request.scope.get(VISITOR_KEY)
        here: str = request.scope["path"].removeprefix(root)
        scopes = visitor.caller.scopes if visitor else frozenset()
        return {
            "root": root,
            "console": f"{root}{CONSOLE}",
            "who": _who(visitor.caller) if visitor else None,
            "form_token": visitor.form_token if visitor else "",
            "navigation": self._navigation(here, scopes),
        }

    def _navigation(self, here: str, scopes: frozenset[str]) -> Mapping[str, object]:
        opened = self.open_to(scopes)
        groups = [
            {
                "title": group.title,
                "sections": [
                    {"title": each.title, "path": each.path, "is_here": _is_within(here, each)}
                    for each in group.sections
                    if each in opened
                ],
            }
            for group in self.groups
        ]
        within = [each.title for each in opened if _is_within(here, each)]
        return {"groups": [each for each in groups if each["sections"]], "here": within[:1]}


def inline_styles() -> Mapping[str, str]:
    """Return the headers of a page with frames of what somebody writes, styled as mails are.

    A frame of a page's own markup has that page's policy. It runs nothing and loads nothing.
    """
    policy = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    return {"Content-Security-Policy": policy}


def is_partial(request: Request) -> bool:
    """Whether a script of a page asks, for a part of it."""
    return header(request.scope, b"hx-request") == "true"


def templates() -> Traversable:
    """Return the folder of the console's pages."""
    return files("notifier.api.console").joinpath("templates")


def _who(caller: Caller) -> Mapping[str, str]:
    """Return what the frame says of whoever is signed in."""
    name = caller.login or f"key {caller.key_id}"
    return {"name": name, "service": "every service" if caller.sees is None else caller.service}


def _is_within(path: str, section: Section) -> bool:
    return f"{path}/".startswith(f"{CONSOLE}{section.path}/")
