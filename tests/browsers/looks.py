"""A page at each width, in light and in dark."""

from collections.abc import Iterator, Sequence
from typing import Literal

from playwright.sync_api import Page

Scheme = Literal["light", "dark"]
SCHEMES: Sequence[Scheme] = ("light", "dark")
TALL = 3_000
"""A window in which nothing needs to be scrolled, so that axe sees what is behind each text."""
USUAL = 800
_WIDEST = """Math.max(
  document.documentElement.scrollWidth,
  ...Array.from(document.body.querySelectorAll("*"), (each) => each.getBoundingClientRect().right)
) - window.innerWidth"""


def looks(page: Page, widths: Sequence[int], height: int = TALL) -> Iterator[str]:
    """Show the page in each way, and say in which."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in widths:
            page.set_viewport_size({"width": width, "height": height})
            yield f"{scheme}, {width} pixels"


def overflow(page: Page) -> int:
    """By how many pixels the page, or what it cuts off, is wider than its window."""
    found: float = page.evaluate(_WIDEST)
    return max(round(found), 0)
