"""Routing of paths without parts: looked up, where a router tries one pattern after another."""

from collections.abc import Mapping, Sequence

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
    fixed: dict[str, Route] = {}
    others: list[BaseRoute] = []
    for route in routes:
        if not isinstance(route, Route) or route.param_convertors:
            others.append(route)
        elif route.path not in fixed and not _is_taken(route.path, others):
            fixed[route.path] = route
    return fixed


def _is_taken(path: str, before: Sequence[BaseRoute]) -> bool:
    scope: Scope = {"type": "http", "path": path, "method": "GET", "root_path": ""}
    return any(each.matches(scope)[0].value for each in before)
