"""Make the pictures of the console in docs/: python -m tools.console_pictures [FOLDER].

A one-process mode of its own is filled by the demo, and looked at by a Chromium
without a window: Debian's package `chromium`, or the program that CHROMIUM names.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, sync_playwright

from notifier.commands import app
from notifier.composition import development
from tests.e2e.one_process import OneProcess, one_process
from tools.pictures import FOLDER

PAGES = {
    "overview": ("/console/overview", "#over-time canvas"),
    "notifications": ("/console/notifications?error_code=550", ".rows li"),
    "dead-letters": ("/console/dead-letters", ".rows li"),
    "editor": ("/console/templates/development/otp/edit", "iframe.mail"),
    "rule": ("/console/rules/orders/demo-shipped/edit", "#look .match"),
    "person": ("/console/people/demo-ada?service=orders", "main h1"),
    "workers": ("/console/workers", "#workers li"),
    "health": ("/console/health/parts", "#parts li"),
    "provider": ("/console/providers/sandbox", "main h1"),
    "operators": ("/console/operators", ".rows li"),
    "audit": ("/console/audit", ".rows li"),
}
"""Each page's path, and what is waited for until the picture is taken."""
PASSWORD = "of nothing but pictures"
OPERATORS = {"anna": "admin", "ben": "operator", "cleo": "author", "dan": "viewer"}
_WIDTH, _HEIGHT, _HIGHEST = 1280, 800, 1400
_FOR_MINUTES = "1.2"


def main(arguments: Sequence[str]) -> None:
    """Write a picture for each page."""
    folder = Path(arguments[0]) if arguments else FOLDER
    with tempfile.TemporaryDirectory() as scratch, one_process(Path(scratch) / "data") as notifier:
        for login, role in OPERATORS.items():
            add(Path(scratch) / "data", login, role)
        line = ["demo", "--folder", str(Path(scratch) / "data"), "--url", notifier.url]
        if app.run([*line, "--minutes", _FOR_MINUTES]):
            sys.exit("the demo did not run")
        os.environ |= {"NOTIFIER_URL": notifier.url, "NOTIFIER_API_KEY": notifier.key}
        if app.run(["templates", "install", "--publish"]):
            sys.exit("the templates were not installed")
        with sync_playwright() as playwright:
            program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            take(browser, notifier, folder)


def add(data: Path, login: str, role: str) -> None:
    """Add an operator."""
    command = [sys.executable, "-m", "notifier", "operators", "add", login, "--role", role]
    subprocess.run(
        [*command, "--service", "orders", "--password-stdin"],
        check=True,
        env=development.environment(data, os.environ),
        input=PASSWORD,
        text=True,
        stdout=subprocess.DEVNULL,
    )


def take(browser: Browser, notifier: OneProcess, folder: Path) -> None:
    """Take a picture of each page, as high as it is, or almost."""
    with browser.new_context(
        viewport={"width": _WIDTH, "height": _HEIGHT},
    ) as context:
        tab = context.new_page()
        tab.goto(f"{notifier.url}/console")
        tab.get_by_label("Login").fill("anna")
        tab.get_by_label("Password").fill(PASSWORD)
        tab.keyboard.press("Enter")
        tab.get_by_role("button", name="Sign out").wait_for()
        for name, (path, there) in PAGES.items():
            tab.goto(f"{notifier.url}{path}")
            tab.locator(there).first.wait_for()
            shot = folder / f"console.{name}.png"
            height = tab.evaluate("document.documentElement.scrollHeight")
            clip = FloatRect(x=0, y=0, width=_WIDTH, height=min(height, _HIGHEST))
            tab.screenshot(path=shot, full_page=True, clip=clip)


if __name__ == "__main__":
    main(sys.argv[1:])
