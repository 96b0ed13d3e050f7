"""The pages for people: the API's description, and the sandbox. Self-contained, no CDN."""

from http import HTTPStatus
from typing import Literal

from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from notifier.api.kit.calls import Call
from notifier.api.kit.idempotency import Answer
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


def home_operation() -> Operation:
    """Declare the door: people get to the description, programs to what there is."""

    async def home(call: Call[None, None]) -> Response:
        root: str = call.request.scope.get("root_path", "")
        if "text/html" in call.request.headers.get("accept", ""):
            return RedirectResponse(f"{root}/docs", HTTPStatus.SEE_OTHER)
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
            303: Reply(description="To /docs, for browsers", headers=("Location",)),
        },
    )


def docs_operation() -> Operation:
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
        replies={200: Reply(description="The page", media_type="text/html")},
    )
