"""What axe-core finds in a page."""

from collections.abc import Collection
from importlib.resources import files

from playwright.sync_api import Page

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# Its own options, but that large text is to have the contrast of any other.
_CONTRAST = {
    "ignoreUnicode": True,
    "ignoreLength": False,
    "ignorePseudo": False,
    "boldValue": 700,
    "boldTextPt": 14,
    "largeTextPt": 18,
    "contrastRatio": {"normal": {"expected": 4.5}, "large": {"expected": 4.5}},
    "pseudoSizeThreshold": 0.25,
    "shadowOutlineEmMax": 0.2,
    "textStrokeEmMin": 0.03,
}
_CONFIGURE = """(options) => axe.configure({checks: [{id: "color-contrast", options}]})"""
_RUN = """async ({off, asked}) => {
  const rules = Object.fromEntries(off.map((id) => [id, {enabled: false}]));
  const found = await axe.run(document, {resultTypes: asked, iframes: false, rules});
  return asked.flatMap((kind) => found[kind]).flatMap(
    ({id, help, nodes}) => nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)}`));
}"""


def violations(page: Page, *, off: Collection[str] = (), undecided: bool = True) -> list[str]:
    """Return what is wrong with a page as it is shown now, by axe's rules but those that are off.

    With `undecided`, what could not be judged too, such as the contrast of what is not in the
    window. Frames are not looked into.
    """
    # The browser runs it, whatever the page's policy says of scripts.
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
        page.evaluate(_CONFIGURE, _CONTRAST)
    asked = ["violations", "incomplete"] if undecided else ["violations"]
    found: list[str] = page.evaluate(_RUN, {"off": list(off), "asked": asked})
    return found
