"""Pages: HTML files with a policy of their own, and such as are filled."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Protocol

from starlette.responses import HTMLResponse, Response


class Pages(Protocol):
    """Fills pages of ours."""

    def rendered(self, name: str, values: Mapping[str, object]) -> str:
        """Return the page of this name, with these values."""


def html_page(name: str, policy: str) -> Response:
    """Return the page of this file under `static`, with its Content-Security-Policy."""
    html = files("notifier.api").joinpath("static", name).read_text(encoding="utf-8")
    return HTMLResponse(
        html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    )
