"""The pages for people: the API's description, and the sandbox. Self-contained, no CDN."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from notifier.api.answers import CapturesView, CaptureView, HomeView
from notifier.api.kit.hosts import require_known_host
from notifier.api.kit.idempotency import Answer
from notifier.api.kit.operations import Operation, Reply, public
from notifier.api.kit.problems import UNKNOWN_HOST
from notifier.api.kit.querying import CapturesQuery, next_page, read_query
from notifier.providers.captures import Captures

_TAG = "Pages"
_LINKS = {"docs": "/docs", "openapi": "/openapi.json", "health": "/healthz", "readiness": "/readyz"}
_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'self'"
)
# Mail is styled inline, and its frame inherits the page's policy. Scripts stay forbidden, and
# images may only come with the mail itself: a sandbox that phoned home would be none.
_SANDBOX_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "style-src 'self' 'unsafe-inline'; frame-src 'none'"
)


def static_files() -> Mount:
    """Return the route of what the pages are made of."""
    return Mount("/static", StaticFiles(packages=[("notifier.api", "static")]), name="static")


def home_operation() -> Operation:
    """Declare the door: people get to the description, programs to what there is."""

    async def home(request: Request) -> Response:
        root: str = request.scope.get("root_path", "")
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{root}/docs", HTTPStatus.SEE_OTHER)
        links = {name: f"{root}{path}" for name, path in _LINKS.items()}
        return Answer(status=HTTPStatus.OK, body={"name": "notifier", **links}).response()

    return Operation(
        id="home",
        method="GET",
        path="/",
        summary="Where to find what",
        tag=_TAG,
        handler=public(home),
        replies={
            200: Reply(description="The links", model=HomeView),
            303: Reply(description="To /docs, for browsers", headers=("Location",)),
        },
    )


def docs_operation() -> Operation:
    """Declare the page that describes the API."""
    page = _page("docs.html", _CSP)

    async def docs(request: Request) -> Response:
        del request
        return page

    return Operation(
        id="docs",
        method="GET",
        path="/docs",
        summary="This description as a page",
        tag=_TAG,
        handler=public(docs),
        replies={200: Reply(description="The page", media_type="text/html")},
    )


@dataclass(frozen=True, slots=True)
class SandboxEndpoints:
    """Shows what the sandbox provider captured: a tool for development, without API keys."""

    captures: Captures
    allowed_hosts: Sequence[str]

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        page = _page("sandbox.html", _SANDBOX_CSP)

        async def sandbox(request: Request) -> Response:
            require_known_host(request, self.allowed_hosts)
            return page

        return (
            Operation(
                id="sandbox",
                method="GET",
                path="/sandbox",
                summary="What the sandbox provider captured, as a page",
                tag="Sandbox",
                handler=public(sandbox),
                replies={200: Reply(description="The page", media_type="text/html")},
                problems=(UNKNOWN_HOST,),
            ),
            Operation(
                id="listCaptures",
                method="GET",
                path="/api/v1/sandbox/messages",
                summary="What the sandbox provider captured, newest first",
                description="Of all services and without an API key: the sandbox is a tool for "
                "development, and is not there in production unless it was asked for.",
                tag="Sandbox",
                handler=public(self.messages),
                query=CapturesQuery,
                replies={200: Reply(description="One page", model=CapturesView)},
                problems=(UNKNOWN_HOST,),
            ),
        )

    async def messages(self, request: Request) -> Response:
        """Show a page of captures."""
        require_known_host(request, self.allowed_hosts)
        query = read_query(CapturesQuery, request)
        found = await self.captures.page(
            limit=query.limit + 1, before=query.after, channel=query.type
        )
        shown = found[: query.limit]
        view = CapturesView(
            items=[CaptureView.of(each) for each in shown],
            next=next_page(request, shown[-1].seq) if len(found) > len(shown) else None,
        )
        return Answer(status=HTTPStatus.OK, body=view.json_value()).response()


def _page(name: str, policy: str) -> Response:
    html = files("notifier.api").joinpath("static", name).read_text(encoding="utf-8")
    return HTMLResponse(
        html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    )
