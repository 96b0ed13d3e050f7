"""Whether a filled page is sound: what browsers would mend, each in its own way, and what lacks."""

from dataclasses import dataclass
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.checking.texts import leads_to_page_alone

MOST_CHARS = 400_000
"""Of all pages of a content; reading them takes two microseconds a character."""
_IGNORED = frozenset(
    {
        # A stray & that stands for itself, older doctypes, and comments that only Outlook reads.
        "expected-named-entity",
        "unknown-doctype",
        "deprecated-tag",
        "expected-dashes-or-doctype",
        "unexpected-char-in-comment",
        "unexpected-bang-after-double-dash-in-comment",
        "unexpected-space-after-double-dash-in-comment",
        "unexpected-dash-after-double-dash-in-comment",
    }
)
_ENTITY = "named-entity-without-semicolon"
_NO_DOCTYPE = "expected-doctype-but-got-"
_MOST_WORDS = 200
_NO_LANGUAGE = frozenset({"", "und"})
_HEADINGS = frozenset({"th", "caption"})


@dataclass(frozen=True, slots=True)
class Page:
    """A filled page before its styles were moved, its text, and the source that it was made of."""

    html: str
    text: str
    source: str
    place: Place


class PageChecks:
    """Looks at pages, as many as there is time for."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._left = MOST_CHARS

    def check(self, page: Page) -> None:
        """Report what is broken, and what is missing for those who read it otherwise."""
        if leads_to_page_alone(page.text, page.html):
            words = "it says no more than where to look at the HTML"
            self._findings.error("text-empty", words, page.place.of("text"))
        self._left -= len(page.html)
        if self._left < 0:
            words = "the pages together are too long to look for broken tags in all of them"
            self._findings.warning("html-unchecked", words, page.place)
            return
        seen = _Seen()
        seen.feed(page.html)
        seen.close()
        self._check_structure(page, is_whole=seen.language is not None)
        self._check_whole(page, seen)
        for position, snippet in seen.without_alt:
            words = 'an image has no alt; one that only decorates has alt=""'
            self._warn("html-alt", words, page, position, snippet)
        for position, snippet in seen.layouts:
            words = 'a table needs role="presentation" if it only lays out, or headings: <th>'
            self._warn("html-table", words, page, position, snippet)

    def _check_structure(self, page: Page, *, is_whole: bool) -> None:
        errors = _errors(page.html)
        if errors is None:
            words = "broken tags are found with a library: pip install notifier[html]"
            self._findings.warning("html-unchecked", words, page.place)
            return
        for position, code, words in errors:
            snippet = _tag_before(page.html, position)
            if code == _ENTITY:
                self._warn("html-entity", "an & without a ; at its end", page, position, "")
            elif code.startswith(_NO_DOCTYPE):
                if is_whole:
                    self._warn("html-doctype", "without <!doctype html>", page, position, "")
            elif code not in _IGNORED:
                line, column = _placed(page, position, snippet)
                self._findings.error("html-broken", words, page.place, line=line, column=column)

    def _check_whole(self, page: Page, seen: "_Seen") -> None:
        if seen.language is None:
            words = "no whole page: <!doctype html>, <html lang> and <head> with a <title>"
            self._findings.warning("html-document", words, page.place)
            return
        if seen.language.lower() in _NO_LANGUAGE:
            words = "no language: readers are read to in their own; lang on <html>, or <mjml>"
            self._findings.warning("html-lang", words, page.place)
        if not seen.title.strip():
            words = "no title, which some programs show and read: <title>, or <mj-title>"
            self._findings.warning("html-title", words, page.place)

    def _warn(
        self, code: str, words: str, page: Page, position: tuple[int, int], snippet: str
    ) -> None:
        line, column = _placed(page, position, snippet)
        self._findings.warning(code, words, page.place, line=line, column=column)


@dataclass(slots=True)
class _Table:
    position: tuple[int, int]
    snippet: str
    is_sound: bool


class _Seen(HTMLParser):
    """What a page has that is not about its structure."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.language: str | None = None
        self.title = ""
        self.without_alt: list[tuple[tuple[int, int], str]] = []
        self.layouts: list[tuple[tuple[int, int], str]] = []
        self._tables: list[_Table] = []
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_title = tag == "title" and not self.title
        names = dict(attrs)
        text = self.get_starttag_text() or ""
        if tag == "html":
            self.language = names.get("lang") or ""
        elif tag == "img" and "alt" not in names:
            self.without_alt.append((self._position(), text))
        elif tag == "table":
            self._tables.append(_Table(self._position(), text, "role" in names))
        elif tag in _HEADINGS and self._tables:
            self._tables[-1].is_sound = True

    def handle_endtag(self, tag: str) -> None:
        self._is_title = False
        if tag == "table" and self._tables:
            self._end(self._tables.pop())

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.title += data

    def close(self) -> None:
        super().close()
        while self._tables:
            self._end(self._tables.pop())

    def _end(self, table: _Table) -> None:
        if not table.is_sound:
            self.layouts.append((table.position, table.snippet))

    def _position(self) -> tuple[int, int]:
        line, before = self.getpos()
        return line, before + 1


def _errors(html: str) -> list[tuple[tuple[int, int], str, str]] | None:
    """Return what an HTML parser mends: where it is at its end, a code, and words."""
    try:
        html5lib: Any = import_module("html5lib")
        words: Any = import_module("html5lib.constants").E
    except ImportError:
        return None
    parser = html5lib.HTMLParser()
    parser.parse(html)
    return [
        (position, code, (words[code] % about)[:_MOST_WORDS])
        for position, code, about in parser.errors
    ]


def _tag_before(html: str, position: tuple[int, int]) -> str:
    """Return the tag that ends there."""
    line, column = position
    before = html.split("\n")[line - 1][:column]
    return before[before.rfind("<") :] if before.endswith(">") else ""


def _placed(
    page: Page, position: tuple[int, int], snippet: str
) -> tuple[int, int] | tuple[None, None]:
    """Return where in the source that is, if one place alone can be meant."""
    if snippet and page.source.count(snippet) == 1:
        before = page.source[: page.source.index(snippet)]
        return before.count("\n") + 1, len(before) - before.rfind("\n")
    written = page.html.split("\n")[position[0] - 1]
    places = [at for at, line in enumerate(page.source.split("\n"), 1) if line == written]
    return (places[0], position[1]) if len(places) == 1 else (None, None)
