"""The pages for people, and what pages of others are made of. Self-contained, no CDN."""

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from importlib.resources import files
from typing import Literal

from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.headers import header
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.page import html_page
from notifier.api.kit.views import View

_TAG = "Pages"
_LINKS = {"docs": "/docs", "openapi": "/openapi.json", "health": "/healthz", "readiness": "/readyz"}
_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'self'"
)


class HomeView(View):
    """Where to find what."""

    name: Literal["notifier"]
    docs: str
    openapi: str
    health: str
    readiness: str


def static_files() -> Mount:
    """Return the route of what the pages are made of."""
    return Mount("/static", StaticFiles(packages=[("notifier.api", "static")]), name="static")


def page_operations(people_at: str = "/docs") -> Sequence[Operation]:
    """Declare the pages, and the component for pages of others; browsers begin at `people_at`."""
    return (_home(people_at), _docs(), _component())


def _home(people_at: str) -> Operation:
    """Declare the door: people get to a page, programs to what there is."""

    async def home(call: Call[None, None]) -> Response:
        root: str = call.request.scope.get("root_path", "")
        if "text/html" in call.request.headers.get("accept", ""):
            return RedirectResponse(f"{root}{people_at}", HTTPStatus.SEE_OTHER)
        links = {name: f"{root}{path}" for name, path in _LINKS.items()}
        return Answer(status=HTTPStatus.OK, body={"name": "notifier", **links}).response()

    return Operation(
        id="home",
        method="GET",
        path="/",
        summary="Where to find what",
        tag=_TAG,
        serve=home,
        replies={
            200: Reply(description="The links", model=HomeView),
            303: Reply(
                description="To the console, for browsers; or to /docs where that is off",
                headers=("Location",),
            ),
        },
    )


def _docs() -> Operation:
    """Declare the page that describes the API."""
    page = html_page("docs.html", _CSP)

    async def docs(call: Call[None, None]) -> Response:
        del call
        return page

    return Operation(
        id="docs",
        method="GET",
        path="/docs",
        summary="This description as a page",
        tag=_TAG,
        serve=docs,
        replies={200: Reply(description="The page", media_types=("text/html",))},
    )


def _component() -> Operation:
    """Declare the web component that shows an inbox: any page may load it, and keep it an hour."""
    script = files("notifier.api").joinpath("static", "notifier-inbox.js").read_bytes()
    etag = f'"{hashlib.sha256(script).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "public, max-age=3600",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }

    async def component(call: Call[None, None]) -> Response:
        if header(call.request.scope, b"if-none-match").removeprefix("W/") == etag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(script, media_type="text/javascript", headers=headers)

    return Operation(
        id="inboxComponent",
        method="GET",
        path="/notifier-inbox.js",
        summary="The web component <notifier-inbox>, a module",
        tag=_TAG,
        serve=component,
        replies={
            200: Reply(
                description="The script", media_types=("text/javascript",), headers=("ETag",)
            ),
            304: Reply(description="It is what the If-None-Match has", headers=("ETag",)),
        },
    )
