"""Routing of paths without parts: looked up, where a router tries one pattern after another."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send


class FixedPaths:
    """Serves such paths at once, and has the router serve the rest, as it would serve all."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._routes = _fixed(router.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None or scope.get("root_path") or scope["method"] not in (route.methods or ()):
            await self._router(scope, receive, send)
            return
        scope["router"], scope["route"], scope["endpoint"] = self._router, route, route.endpoint
        scope.setdefault("path_params", {})
        await route.app(scope, receive, send)


def _fixed(routes: Sequence[BaseRoute]) -> Mapping[str, Route]:
    """Return the routes of fixed paths by these, but for those that another comes before."""
    fixed = [each for each in routes if isinstance(each, Route) and not each.param_convertors]
    return {each.path: each for each in fixed if not _is_taken(each, routes)}


def _is_taken(route: Route, routes: Sequence[BaseRoute]) -> bool:
    scope: Scope = {"type": "http", "path": route.path, "method": "GET", "root_path": ""}
    before = takewhile(lambda each: each is not route, routes)
    return any(each.matches(scope)[0].value for each in before)
