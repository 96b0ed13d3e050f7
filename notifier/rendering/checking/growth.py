"""Values that grow by being put together of one another, which the engine's fuel does not count.

What an expression makes is at most as large as the values that it names, together. So what all
that are kept make is at most the product of how many each names, as long as nothing goes round.
"""

import re
from collections.abc import Iterator, Sequence

from notifier.rendering.checking.contexts import Report
from notifier.rendering.checking.scanning import Kind, Piece, pieces

MOST = 10_000

_STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)
# Neither fields nor filters, tests, or arguments by name.
_NAMES = re.compile(r"(?<![\w.|])(?<!\| )(?<!is )[A-Za-z_]\w*(?!\w|\s*=[^=])", re.ASCII)
_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "range"})
_PRODUCT = re.compile(rf"{_STRINGS.pattern}|\*", re.DOTALL)
_MACRO = re.compile(r"macro\s+(\w+)", re.ASCII)


def check_growth(source: str, report: Report) -> None:
    """Report what may grow beyond bounds."""
    cut = [each for each in pieces(source) if each.kind in (Kind.TAG, Kind.PRINT)]
    macros = {found[1] for each in cut if (found := _MACRO.match(_bare(each)))}
    _check_rounds(cut, macros, report)
    _check_products(cut, report)
    product, kept = 1, dict(_kept(cut, macros))
    for piece in cut:
        names = len(_names(kept.get(piece, _bare(piece))))
        product *= max(1, names) if piece in kept else 1
        if max(product, names) > MOST:
            words = "values are put together of one another too often"
            report("too-complex", words, piece.line)
            return


def _check_products(cut: Sequence[Piece], report: Report) -> None:
    for piece in cut:
        for found in _PRODUCT.finditer(piece.text):
            if found[0] == "*":
                words = "there is no *; multiply, or repeat a text, with the filter times"
                line = piece.line + piece.text.count("\n", 0, found.start())
                report("too-complex", f"{words}: price|times(2), '-'|times(40)", line)
                return


def _names(text: str) -> Sequence[str]:
    return [each for each in _NAMES.findall(text) if each.lower() not in _WORDS]


def _kept(cut: Sequence[Piece], macros: set[str]) -> Iterator[tuple[Piece, str]]:
    """What is kept under a name: set, gone through, or given to a macro."""
    for piece in cut:
        text = _bare(piece)
        word = text.split(maxsplit=1)[0] if text else ""
        if piece.kind is Kind.PRINT:
            if macros.intersection(_NAMES.findall(text)):
                yield piece, text
        elif word in ("set", "with"):
            yield piece, text.partition("=")[2]
        elif word == "for":
            yield piece, text.partition(" in ")[2]
        elif word in ("call", "macro"):
            yield piece, text.removeprefix(word)


def _check_rounds(cut: Sequence[Piece], macros: set[str], report: Report) -> None:
    """Macros call none but those above, and loops do not call themselves."""
    above: set[str] = set()
    inside: str | None = None
    for piece in cut:
        text = _bare(piece)
        if found := _MACRO.match(text):
            inside = found[1]
        elif text == "endmacro" and inside:
            above.add(inside)
            inside = None
        elif inside and (macros - above).intersection(_NAMES.findall(text)):
            report("too-complex", "a macro calls none but those above it", piece.line)
        if text.startswith("for ") and text.endswith(" recursive"):
            report("too-complex", "a loop does not call itself", piece.line)


def _bare(piece: Piece) -> str:
    """What a tag says, without strings and the signs that trim."""
    return _STRINGS.sub('""', piece.text).strip("-+ \t\r\n")
