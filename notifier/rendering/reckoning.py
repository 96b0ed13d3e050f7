"""What a source can come to at most, told by how it is written and how much it is given.

The engine's fuel counts steps, and not what a step makes: of two values, at most as much as both,
times what the filters between them may add. What is kept under a name is made of again, so the
most is a product. A source whose product cannot be told is not wrong; it is only not filled here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifier.rendering.checking.scanning import Kind, pieces

_MOST_AT_ONCE = 64_000_000
"""Characters of all values that there may be at once."""
_MOST_EACH_ROUND = 25_000
"""Characters of a value in a loop: fuel is enough for some 10,000 rounds."""
_MOST_TEXT = 2_000
"""Characters in a loop between two tags."""
_MADE_CHARS = 1_000
"""Of what is made of nothing: a number, a day, a text that is repeated."""
_VALUE_CHARS = 8
_SHOWN = 6
"""How much longer a list is as text than what is in it."""

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<number>[0-9]{1,9}(?![0-9_]))"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>[|.,()\[\]~+\-/%:=!<>])",
    re.DOTALL,
)
_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "elif"})
_BARE_TAGS = frozenset({"else", "endif", "endfor", "endset"})
_FACTORS: Mapping[str, int] = {
    **dict.fromkeys(("upper", "lower", "title", "capitalize"), 3),
    **dict.fromkeys(("escape", "e"), 6),
    **dict.fromkeys(("split", "lines", "list", "urlencode"), 9),
    **dict.fromkeys(("default", "d", "first", "last", "min", "max", "trim", "striptags"), 1),
    **dict.fromkeys(("length", "count", "abs", "int", "float", "round", "bool", "sort"), 1),
    **dict.fromkeys(("select", "reject", "selectattr", "rejectattr", "unique", "reverse"), 1),
    **dict.fromkeys(("money", "number", "percent", "date", "time", "datetime", "plural"), 1),
    **dict.fromkeys(("url", "truncate", "times", "map", "join", "replace"), 1),
}
"""By how much each makes a value longer, at most."""

_Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a source makes of each character that it is given."""

    all: int
    """Times longer than that can be what there is at once, together."""
    longest: int
    """Times longer than that can be one value."""
    literal_chars: int
    has_loops: bool
    text_chars: int
    """The longest text in a loop."""

    def is_small(self, chars: int) -> bool:
        """Whether it comes to little, given so much."""
        given = chars + self.literal_chars + _MADE_CHARS
        if self.has_loops and self.text_chars > _MOST_TEXT:
            return False
        if self.has_loops and given * self.longest > _MOST_EACH_ROUND:
            return False
        return given * self.all <= _MOST_AT_ONCE


def reckoned(source: str) -> Reckoning | None:
    """Return what a source can come to, None if that cannot be told."""
    try:
        return _reckoned(source)
    except _UntoldError:
        return None


def size(value: object) -> int:
    """Return how many characters a value counts for."""
    match value:
        case str():
            return len(value) + _VALUE_CHARS
        case Mapping():
            own = _VALUE_CHARS * (1 + len(value)) + sum(map(len, value))
            return own + sum(map(size, value.values()))
        case list() | tuple():
            return _VALUE_CHARS + sum(map(size, value))
        case int() if abs(value) >= 10**18:
            return len(str(value)) if abs(value) < 10**300 else _MOST_AT_ONCE
        case _:
            return 3 * _VALUE_CHARS


class _UntoldError(Exception):
    """A source has what cannot be reckoned with."""


def _reckoned(source: str) -> Reckoning:
    together, literals, kept, most = 1, 0, 1, 1
    depth, run, text, loops = 0, 0, 0, False
    for piece in pieces(source):
        if piece.kind is Kind.COMMENT:
            _refuse(piece.text[:1] == "}" or "{{" in piece.text or "{%" in piece.text)
        elif piece.kind is Kind.TEXT:
            run += len(piece.text) if depth else 0
            text = max(text, run)
        else:
            run = 0
            tokens = _tokens(piece.text)
            made, is_kept = _expression(piece.kind, tokens)
            factor = _factor(made)
            most, kept = max(most, factor), kept * factor if is_kept else kept
            together += len(made) * factor
            literals += sum(len(written) for kind, written in made if kind == "string")
            word = _word(piece.kind, tokens)
            depth += {"for": 1, "endfor": -1}.get(word, 0)
            loops = loops or word == "for"
    return Reckoning(kept * together, kept * most, literals, loops, text)


def _refuse(is_so: bool) -> None:  # noqa: FBT001  reads as a sentence
    if is_so:
        raise _UntoldError


def _tokens(text: str) -> Sequence[_Token]:
    """Cut what a tag says; it may trim the text around it."""
    found: list[_Token] = []
    at, end = int(text[:1] in ("-", "+")), len(text) - int(text[-1:] in ("-", "+"))
    while at < end:
        token = _TOKEN.match(text, at, end)
        if token is None:
            raise _UntoldError
        if token.lastgroup != "space":
            found.append((token.lastgroup or "", token[0]))
        at = token.end()
    return found


def _word(kind: Kind, tokens: Sequence[_Token]) -> str:
    return tokens[0][1] if kind is Kind.TAG and tokens else ""


def _expression(kind: Kind, tokens: Sequence[_Token]) -> tuple[Sequence[_Token], bool]:
    """Return what is worked out, and whether it is kept under a name."""
    word = _word(kind, tokens)
    if kind is Kind.PRINT:
        return tokens, False
    if word in _BARE_TAGS and len(tokens) == 1:
        return (), False
    if word in ("if", "elif"):
        return tokens[1:], False
    if word == "for" and ("name", "in") in tokens and tokens[-1] != ("name", "recursive"):
        return tokens[tokens.index(("name", "in")) + 1 :], True
    if word == "set" and ("sign", "=") in tokens:
        return tokens[tokens.index(("sign", "=")) + 1 :], True
    raise _UntoldError


def _factor(tokens: Sequence[_Token]) -> int:
    """Return by how much more an expression may come to than each of what it names."""
    operands, factor = 0, _SHOWN if ("sign", "~") in tokens else 1
    for at, (kind, written) in enumerate(tokens):
        before = tokens[at - 1] if at else ("", "")
        if written == "(" and kind == "sign":
            _refuse(not _may_open(tokens, at))
        if kind == "name" and before == ("sign", "|"):
            factor *= _of_filter(tokens, at)
        elif before == ("sign", "|"):
            raise _UntoldError
        elif kind in ("string", "number") or (kind == "name" and written not in _WORDS):
            operands += 1
    return max(1, operands) * factor


def _may_open(tokens: Sequence[_Token], at: int) -> bool:
    """Whether a parenthesis groups, or gives a filter or a test what it needs; none calls."""
    if at == 0:
        return True
    kind, written = tokens[at - 1]
    if kind == "sign":
        return written not in (")", "]")
    before = [each for _, each in tokens[max(0, at - 3) : at - 1]]
    if kind != "name":
        return False
    if before[-1:] == ["."]:
        return before == ["loop", "."] and written == "cycle"
    return written in _WORDS or before[-1:] in (["|"], ["is"]) or before == ["is", "not"]


def _of_filter(tokens: Sequence[_Token], at: int) -> int:
    name = tokens[at][1]
    given = [each for _, each in _given(tokens, at + 1)]
    if name not in _FACTORS or (name == "map" and given[:2] != ["attribute", "="]):
        raise _UntoldError
    if name not in ("join", "replace"):
        return _FACTORS[name]
    _refuse(any(kind != "string" for kind, each in _given(tokens, at + 1) if each != ","))
    return _SHOWN + sum(map(len, given))


def _given(tokens: Sequence[_Token], at: int) -> Iterator[_Token]:
    """Tell what a filter is given in parentheses, up to the first that closes."""
    if tokens[at : at + 1] != [("sign", "(")]:
        return
    for token in tokens[at + 1 :]:
        if token == ("sign", ")"):
            return
        yield token
