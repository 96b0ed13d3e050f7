"""Make the pictures of the ready-made templates in docs/: scripts/pictures [FOLDER].

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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.ready_made import NAMES, WHOLE, page_of

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
WIDTHS = (320, 600, 800)
SCHEMES = {"light": 1, "dark": 0}
LOCALE = "en"
WITHIN_S = 60
BRAND = replace(WHOLE, logo_url=None)
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
        for name in NAMES:
            page = Path(scratch) / f"{name}.html"
            page.write_text(sheet(page_of(name, LOCALE, BRAND)), encoding="utf-8")
            for scheme in SCHEMES:
                picture = folder / f"{name}.{scheme}.png"
                take(page, scheme, picture, Path(scratch))
                print(picture)  # noqa: T201  says what was made


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


if __name__ == "__main__":
    main(sys.argv[1:])
