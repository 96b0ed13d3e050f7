"""Pages: HTML files with a policy of their own."""

from importlib.resources import files

from starlette.responses import HTMLResponse, Response


def html_page(name: str, policy: str) -> Response:
    """Return the page of this file under `static`, with its Content-Security-Policy."""
    html = files("notifier.api").joinpath("static", name).read_text(encoding="utf-8")
    return HTMLResponse(
        html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    )
