"""Where in HTML values are printed: escaping makes them safe in text and quoted attributes alone.

The source is looked at with every branch in it. What is built from pieces of tags by branches is
beyond this; examples are looked at once more when they are filled.
"""

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import Protocol

from notifier.content.brand import STYLES, URLS
from notifier.content.links import link_fault
from notifier.rendering.checking.scanning import Kind, Piece, pieces

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_NAMED = re.compile(f"</?[a-z]*{_OPEN}(\\d+){_CLOSE}", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_SOURCES = frozenset({"src", "background", "srcset", "poster"})
_LINKS = _SOURCES | {"href", "action", "formaction", "cite", "data", "xlink:href", "longdesc"}
_SHOWN = frozenset({"https", "cid"})
_REFUSED_TAGS = frozenset({"script", "iframe", "object", "embed", "base", "form", "applet"})
_URL = re.compile(r"\|\s*url\s*$")
_RICH = re.compile(r"\|\s*rich\b")
_BRAND = re.compile(r"\s*brand\.(\w+)\s*", re.ASCII)
_ANEW = re.compile(r"(?:set|for|with|macro|call)\b.*(?<![\w.])brand(?![\w.])", re.ASCII | re.DOTALL)
_BLOCKS = ("macro", "call", "filter")


class Report(Protocol):
    """Takes what is found: a code, words, and the line."""

    def __call__(self, code: str, words: str, line: int | None) -> None: ...


def check_contexts(source: str, report: Report) -> None:
    """Report values that are printed where escaping does not help, and links that lead astray."""
    cut = list(pieces(source))
    prints = [each for each in cut if each.kind is Kind.PRINT]
    _check_blocks(cut, report)
    marked = "".join(_marked(cut))
    for index in _NAMED.findall(marked):
        line = prints[int(index)].line
        report("html-context", "no value is safe as the name of a tag", line)
    _Reader(prints, report).read(marked)


def check_page(html: str, report: Report) -> None:
    """Report what is wrong with a page whose values are filled in."""
    _Reader([], report).read(html)


def _marked(cut: Sequence[Piece]) -> Iterator[str]:
    index = 0
    for piece in cut:
        match piece.kind:
            case Kind.TEXT:
                yield piece.text.replace(_OPEN, "").replace(_CLOSE, "")
            case Kind.PRINT:
                yield f"{_OPEN}{index}{_CLOSE}" + "\n" * piece.text.count("\n")
                index += 1
            case _:
                yield "\n" * piece.text.count("\n")


def _check_blocks(cut: Sequence[Piece], report: Report) -> None:
    depth = 0
    for piece in cut:
        words = piece.text.strip("-+ \n\t").split()
        name = words[0] if piece.kind is Kind.TAG and words else ""
        if name == "autoescape":
            report("html-unescaped", "escaping cannot be switched", piece.line)
        if piece.kind is Kind.TAG and _ANEW.match(piece.text.lstrip("-+ \n\t")):
            # What is said of brand below would be said of any value.
            report("variable-reserved", "brand is what notifier offers", piece.line)
        is_block = name in _BLOCKS or (name == "set" and "=" not in piece.text)
        depth += is_block
        depth -= name.startswith("end") and name[3:] in (*_BLOCKS, "set")
        if _RICH.search(piece.text) and (depth > 0 or piece.kind is Kind.TAG):
            words_ = "rich stands in {{ }} itself, where nothing can put it into an attribute"
            report("html-rich", words_, piece.line)


class _Reader(HTMLParser):
    def __init__(self, prints: Sequence[Piece], report: Report) -> None:
        super().__init__(convert_charrefs=False)
        self._prints = prints
        self._report = report
        self._within: str | None = None

    def read(self, html: str) -> None:
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag if tag in ("script", "style") else None
        if tag in _REFUSED_TAGS:
            self._say("html-element", f"mail programs have no <{tag}>", None)
        if any(
            name == "http-equiv" and value and value.lower() == "refresh" for name, value in attrs
        ):
            self._say("html-element", "a page that leads elsewhere by itself", None)
        bare = _QUOTED.sub('""', self.get_starttag_text() or "")
        for print_ in self._marks(bare):
            words = "a value in a tag stands in quotes, as an attribute's value"
            self._say("html-context", words, print_)
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._within = None

    def handle_endtag(self, tag: str) -> None:
        self._within = None
        self._refuse(tag, "in the name of a tag")

    def handle_data(self, data: str) -> None:
        for print_ in self._marks(data) if self._within else ():
            if self._within != "style" or not _is_brands(print_, STYLES):
                self._say("html-context", f"no value is safe within <{self._within}>", print_)

    def handle_comment(self, data: str) -> None:
        if data.startswith("[if ") and "]>" in data:  # Outlook reads it
            inner = data.partition("]>")[2].removesuffix("<![endif]")
            _Reader(self._prints, self._report).read(inner)
        else:
            self._refuse(data, "in a comment")

    def handle_decl(self, decl: str) -> None:
        self._refuse(decl, "in a declaration")

    def handle_pi(self, data: str) -> None:
        self._refuse(data, "in an instruction")

    def unknown_decl(self, data: str) -> None:
        self._refuse(data, "in a declaration")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self._say("html-context", f"mail programs follow no {name[:40]}", None)
        if name in ("srcdoc", "xmlns"):
            self._refuse(value, f"in {name}")
        for print_ in self._marks(value):
            if _RICH.search(print_.text):
                self._say("html-rich", "rich is for text, not for attributes", print_)
            if name == "style" and not _is_brands(print_, STYLES):
                words = "a style takes brand's looks alone, such as {{ brand.color }}"
                self._say("html-context", words, print_)
        if name in _LINKS:
            self._link(tag, name, value.strip())

    def _link(self, tag: str, name: str, value: str) -> None:
        first = _MARK.match(value)
        if first:
            print_ = self._prints[int(first[1])]
            if not _URL.search(print_.text) and not _is_brands(print_, URLS):
                words = "an address that a value begins needs the filter url: {{ address|url }}"
                self._say("html-link", words, print_)
            return
        literal = _MARK.sub("x", value)
        is_source = name in _SOURCES
        fault = link_fault(literal, schemes=_SHOWN) if is_source else link_fault(literal)
        if fault:
            self._say("link", f"a link in <{tag[:40]} {name}>: {fault}", self._first(value))

    def _first(self, text: str) -> Piece | None:
        found = self._marks(text)
        return found[0] if found else None

    def _refuse(self, text: str, where: str) -> None:
        for print_ in self._marks(text):
            self._say("html-context", f"no value is safe {where}", print_)

    def _marks(self, text: str) -> list[Piece]:
        found = [int(each) for each in _MARK.findall(text)]
        return [self._prints[at] for at in found if at < len(self._prints)]

    def _say(self, code: str, words: str, print_: Piece | None) -> None:
        self._report(code, words, print_.line if print_ else self.getpos()[0])


def _is_brands(print_: Piece, names: frozenset[str]) -> bool:
    """Whether it prints one of these fields of the brand, and nothing else."""
    found = _BRAND.fullmatch(print_.text)
    return found is not None and found[1] in names
