"""Make the pictures of the ready-made templates in docs/: python scripts/pictures.py [FOLDER].

Each mail is filled with its first example and shown at 320, 600 and 800 pixels, in light and in
dark, by a Chromium without a window: Debian's package `chromium`, or the program that
CHROMIUM names.
"""

import html
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from uuid import UUID

from notifier.clock import SystemClock
from notifier.commands.folders import READY_MADE
from notifier.commands.syncing import content_of
from notifier.content.brand import Brand
from notifier.content.library import Partial
from notifier.content.ports import Offered
from notifier.content.shared import Shared
from notifier.content.template import Content, TemplateVersion, Variables
from notifier.notification.model import Channel
from notifier.rendering.checking.check import check
from notifier.rendering.renderer import VersionRenderer

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
WIDTHS = (320, 600, 800)
SCHEMES = {"light": 1, "dark": 0}
LOCALE = "en"
LAYOUT = "mail"
WITHIN_S = 60
BRAND = Brand(
    name="Evently",
    postal_address="Example Street 1\n1010 Vienna",
    support_email="help@evently.example.com",
)
_GAP = 20
_STYLE = f"body{{margin:0;padding:{_GAP}px;display:flex;gap:{_GAP}px;align-items:flex-start}}"
_FITTED = """
for (const frame of document.querySelectorAll("iframe"))
  frame.style.height = frame.contentDocument.documentElement.scrollHeight + "px";
document.title = "height:" + Math.ceil(document.body.getBoundingClientRect().height);
"""


def main(arguments: Sequence[str]) -> None:
    """Write a picture for each template and scheme."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name, mail in mails(LOCALE):
            page = Path(scratch) / f"{name}.html"
            page.write_text(sheet(mail), encoding="utf-8")
            for scheme in SCHEMES:
                picture = folder / f"{name}.{scheme}.png"
                take(page, scheme, picture, Path(scratch))
                print(picture)


def mails(locale: str) -> Iterator[tuple[str, str]]:
    """Return the HTML of each ready-made template's mail by its name."""
    for name in READY_MADE.names():
        if not _content(name).is_partial:
            yield name, mail_of(name, locale)


def mail_of(name: str, locale: str) -> str:
    """Return the HTML of a ready-made template's mail, filled with its first example."""
    content = _content(name)
    partials = {LAYOUT: Partial(1, _content(LAYOUT))}
    compiled = cast(Content, check(content, Shared(brand=BRAND, partials=partials)).compiled)
    version, renderer = _version(compiled), VersionRenderer(SystemClock())
    variables = cast(Variables, renderer.completed(version, content.examples[0]))
    rendered = renderer.render(
        version,
        Channel.EMAIL,
        locale=locale,
        variables=variables,
        offered=Offered(notification={"id": str(version.id)}),
    )
    return rendered.html or ""


def sheet(mail: str) -> str:
    """Return a page that shows a mail in each width."""
    frames = "".join(
        f'<iframe width="{width}" frameborder="0" srcdoc="{html.escape(mail)}"></iframe>'
        for width in WIDTHS
    )
    return (
        f'<!doctype html><meta charset="utf-8"><title></title><style>{_STYLE}</style>{frames}'
        f"<script>addEventListener('load', () => {{{_FITTED}}})</script>"
    )


def take(page: Path, scheme: str, picture: Path, scratch: Path) -> None:
    """Take a picture of a page, as high as it is."""
    dom = _chromium(scheme, scratch, "--dump-dom", page)
    height = re.search(r"<title>height:(\d+)</title>", dom)
    if height is None:
        sys.exit("Chromium did not show the page")
    width = sum(WIDTHS) + _GAP * (len(WIDTHS) + 1)
    size = f"--window-size={width},{height[1]}"
    _chromium(scheme, scratch, size, f"--screenshot={picture}", page)


def _chromium(scheme: str, scratch: Path, *arguments: str | Path) -> str:
    command = [
        os.environ.get("CHROMIUM", "chromium"),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--force-device-scale-factor=0.75",
        f"--user-data-dir={scratch / 'profile'}",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        *map(str, arguments),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=WITHIN_S)
    return done.stdout


def _content(name: str) -> Content:
    return cast(Content, content_of(READY_MADE, name))


def _version(content: Content) -> TemplateVersion:
    return TemplateVersion(
        id=UUID(int=0),
        service="evently",
        name="shown",
        number=1,
        content=content,
        checksum="",
        created_at=datetime.now(UTC),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
