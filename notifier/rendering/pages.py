"""What is done to an email's HTML after it was filled."""

import re
from html import escape

import css_inline

from notifier.rendering.faults import PartError

MADE_OF_MJML = "{# made of MJML #}"
"""What HTML begins with whose styles are in place already; prints nothing."""

MOST_TAGS = 10_000
"""Of a page that is read; one in another, six times as many end the process (css-inline 0.24)."""
_MOST_PAIRS = 3_000_000
"""Of a selector and a tag: 50 ns each."""
_MOST_MERGES = 300_000_000
"""Of a declaration with those that a tag has already: 7 ns each."""
_MOST_SIBLINGS = 10_000_000
"""Of a selector and a tag with its siblings: 22 ns each."""

_TAG = re.compile(r"<[a-z]", re.IGNORECASE)
_STYLES = re.compile(r"<style\b(.*)</style|<style\b(.*)", re.IGNORECASE | re.DOTALL)
# What asks for siblings; a name may be written with escapes.
_SIBLINGS = re.compile(r"~|:nth|:last|:only|:first-of|:has|\\", re.IGNORECASE)
_BODY = re.compile(r"<body(?:\s[^>]*)?>", re.IGNORECASE)
_STYLE = re.compile(r"<style[\s>]", re.IGNORECASE)
_HIDDEN = (
    "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden"
)
_SHOWN_CHARS = 150
"""Of a preheader by mail programs, at most; what is missing would be filled from the text."""
_FILLER = "&#847;&zwnj;&nbsp;"


class Finisher:
    """Moves styles to where mail programs look for them, and puts the preheader first.

    Styles are moved after filling only: before, an HTML parser would move the template's own tags
    out of tables.
    """

    def __init__(self) -> None:
        # Nothing is fetched, not even from this machine's files.
        self._inliner = css_inline.CSSInliner(
            load_remote_stylesheets=False, keep_link_tags=True, keep_at_rules=True
        )

    def finished(self, html: str, preheader: str | None, *, needs_inlining: bool) -> str:
        """Return the HTML as it is sent.

        Raises:
            ValueError: its styles cannot be read.
            PartError: to move them would take too long.
        """
        if needs_inlining and _STYLE.search(html):
            _refuse_much_work(html)
            html = self._inliner.inline(html)
        return html if preheader is None else _with_preheader(html, preheader)


def _refuse_much_work(html: str) -> None:
    """Moving styles is bounded by nothing else, and the process stands still meanwhile."""
    tags = len(_TAG.findall(html))
    found = _STYLES.search(html)
    styles = (found[1] or found[2]) if found else ""
    rules = styles.count("{")
    selectors, declarations = rules + styles.count(","), rules + styles.count(";")
    looks_around = _SIBLINGS.search(styles) is not None
    if (
        tags > MOST_TAGS
        or selectors * tags > _MOST_PAIRS
        or declarations**2 * tags > _MOST_MERGES
        or (looks_around and selectors * tags**2 > _MOST_SIBLINGS)
    ):
        words = "too many styles for so many tags: put them where they apply, or use MJML"
        raise PartError("too-complex", words)


def _with_preheader(html: str, preheader: str) -> str:
    filler = _FILLER * max(0, _SHOWN_CHARS - len(preheader))
    hidden = f'<div style="{_HIDDEN}">{escape(preheader)}{filler}</div>'
    body = _BODY.search(html)
    at = body.end() if body else 0
    return html[:at] + hidden + html[at:]
