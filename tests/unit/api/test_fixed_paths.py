"""What is looked up by its path is what the router would have found."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router
from starlette.types import Message, Scope

from notifier.api.kit.fixed_paths import FixedPaths


def route(path: str, *methods: str) -> Route:
    async def answer(request: Request) -> PlainTextResponse:
        names = dict(sorted(request.path_params.items()))
        return PlainTextResponse(f"{path} {names} {request.scope['route'].path}")

    return Route(path, answer, methods=methods or ("GET",))


ROUTER = Router(
    [
        route("/send", "POST"),
        route("/{name}/one"),
        route("/two/one"),
        route("/two"),
        route("/send", "PUT"),
        route("/{name}"),
    ],
    redirect_slashes=False,
)


async def answer(app: Router | FixedPaths, method: str, path: str, root: str) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": method, "path": path, "root_path": root}
    await app({**scope, "headers": [], "query_string": b""}, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_every_request_is_answered_as_by_the_router_alone() -> None:
    paths = (
        "/send",
        "/two",
        "/two/one",
        "/x/one",
        "/x",
        "/",
        "/two/",
        "/two\n",
        "/a/two",
        "/a/b/c",
    )
    for path in paths:
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
            for root in ("", "/a", "/two"):
                alone = await answer(ROUTER, method, path, root)
                assert await answer(FixedPaths(ROUTER), method, path, root) == alone


async def test_a_fixed_path_does_without_the_router() -> None:
    router = Router([route("/send", "POST")])
    app = FixedPaths(router)
    router.routes.clear()

    assert await answer(app, "POST", "/send", "") == (200, b"/send {} /send")
