"""What is done to an email's HTML after it was filled."""

import re
from html import escape

import css_inline

MADE_OF_MJML = "{# made of MJML #}"
"""What HTML begins with whose styles are in place already; prints nothing."""

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
        """
        if needs_inlining and _STYLE.search(html):
            html = self._inliner.inline(html)
        return html if preheader is None else _with_preheader(html, preheader)


def _with_preheader(html: str, preheader: str) -> str:
    filler = _FILLER * max(0, _SHOWN_CHARS - len(preheader))
    hidden = f'<div style="{_HIDDEN}">{escape(preheader)}{filler}</div>'
    body = _BODY.search(html)
    at = body.end() if body else 0
    return html[:at] + hidden + html[at:]
