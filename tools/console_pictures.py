"""Make the pictures of the console in docs/: python -m tools.console_pictures [FOLDER].

A one-process mode of its own is filled by the demo, and looked at in light and dark by a Chromium
without a window: Debian's package `chromium`, or the program that CHROMIUM names.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from notifier.commands import app
from tests.browsers.console import sign_in
from tests.e2e.one_process import OneProcess, one_process
from tools.pictures import FOLDER, SCHEMES

PAGES = {
    "overview": ("/console/overview", "#over-time canvas"),
    "notifications": ("/console/notifications?error_code=550", ".rows li"),
    "dead-letters": ("/console/dead-letters", ".rows li"),
    "workers": ("/console/workers", "#workers li"),
    "health": ("/console/health/parts", "#parts li"),
    "editor": ("/console/templates/development/otp/edit", "iframe.mail"),
    "rule": ("/console/rules/orders/demo-shipped/edit", "#look .match"),
}
"""Each page's path, and what is waited for until the picture is taken."""
_WIDTH, _HEIGHT = 1280, 800
_FOR_MINUTES = "1.2"


def main(arguments: Sequence[str]) -> None:
    """Write a picture for each page and scheme."""
    folder = Path(arguments[0]) if arguments else FOLDER
    with tempfile.TemporaryDirectory() as scratch, one_process(Path(scratch) / "data") as notifier:
        line = ["demo", "--folder", str(Path(scratch) / "data"), "--url", notifier.url]
        if app.run([*line, "--minutes", _FOR_MINUTES]):
            sys.exit("the demo did not run")
        os.environ |= {"NOTIFIER_URL": notifier.url, "NOTIFIER_API_KEY": notifier.key}
        if app.run(["templates", "install", "--publish"]):
            sys.exit("the templates were not installed")
        with sync_playwright() as playwright:
            program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            for scheme in SCHEMES:
                take(browser, notifier, scheme, folder)


def take(browser: Browser, notifier: OneProcess, scheme: str, folder: Path) -> None:
    """Take a picture of each page, as high as it is."""
    is_dark = scheme == "dark"
    with browser.new_context(
        viewport={"width": _WIDTH, "height": _HEIGHT},
        color_scheme="dark" if is_dark else "light",
    ) as context:
        tab = context.new_page()
        sign_in(tab, notifier)
        for name, (path, there) in PAGES.items():
            tab.goto(f"{notifier.url}{path}")
            tab.locator(there).first.wait_for()
            tab.screenshot(path=folder / f"console.{name}.{scheme}.png", full_page=True)


if __name__ == "__main__":
    main(sys.argv[1:])
