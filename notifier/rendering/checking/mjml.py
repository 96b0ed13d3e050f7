"""MJML: what its compiler lets pass without a word, and HTML made of it."""

import re
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

from notifier.content.brand import SIZES, Brand, brand_values
from notifier.rendering.checking.contexts import Report
from notifier.rendering.checking.mjml_tags import EVERY_ATTRIBUTE, TAGS
from notifier.rendering.checking.scanning import Kind, pieces
from notifier.rendering.faults import PartError
from notifier.rendering.pages import MADE_OF_MJML

_POSITION = re.compile(r" at position (\d+):\d+$")
_MOST_WORDS = 200
_SIZE = re.compile(rf"\{{\{{\s*brand\.({'|'.join(sorted(SIZES))})\s*\}}\}}")
_WITH_ALL = frozenset({"mj-all", "mj-class"})


def check_tags(source: str, report: Report) -> None:
    """Report tags and attributes that the compiler would drop."""
    reader = _Reader(report)
    for piece in pieces(source):
        is_text = piece.kind is Kind.TEXT
        reader.feed(piece.text if is_text else "x" + "\n" * piece.text.count("\n"))
    reader.close()


def compiled(source: str) -> str:
    """Return HTML for MJML; the template's own tags go through it.

    Raises:
        PartError: it is no MJML, or the compiler is not installed.
    """
    try:
        mrml: Any = import_module("mrml")
    except ImportError:
        raise PartError("mjml", "MJML needs a library: pip install notifier[mjml]") from None
    try:
        html: str = mrml.to_html(source).content
    except (OSError, ValueError) as error:
        raise _told(str(error), source) from None
    return MADE_OF_MJML + html


def _told(words: str, source: str) -> PartError:
    """Say what the compiler says, and where; it counts bytes."""
    if not (found := _POSITION.search(words)):
        return PartError("mjml", f"no MJML: {words[:_MOST_WORDS]}")
    before = source.encode()[: int(found[1])].decode(errors="replace")
    said = words[: found.start()][:_MOST_WORDS]
    column = len(before) - before.rfind("\n")
    return PartError("mjml", f"no MJML: {said}", line=before.count("\n") + 1, column=column)


def with_sizes(source: str, brand: Brand) -> str:
    """Put the brand's sizes where MJML reckons with them: it takes names for no size."""
    values = brand_values(brand)
    return _SIZE.sub(lambda found: str(values[found[1]]), source)


def as_page(source: str) -> str:
    """Return MJML that is a page, of a partial for a look at it."""
    if "<mjml" in source:
        return source
    return f"<mjml><mj-body>{source}</mj-body></mjml>"


class _Reader(HTMLParser):
    def __init__(self, report: Report) -> None:
        super().__init__(convert_charrefs=False)
        self._report = report

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "mjml" or tag.startswith("mj-"):
            self._check(tag, attrs)

    def _check(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line = self.getpos()[0]
        known = EVERY_ATTRIBUTE | {"name"} if tag in _WITH_ALL else TAGS.get(tag)
        if known is None:
            self._report("mjml-tag", f"MJML has no <{tag[:60]}> here", line)
            return
        for name, _ in attrs:
            if name not in known:
                self._report("mjml-attribute", f"<{tag}> has no {name[:60]}", line)
        if tag == "mj-style" and any(name == "inline" for name, _ in attrs):
            words = "inlining would move the template's tags out of tables; use css-class"
            self._report("mjml-inline", words, line)
