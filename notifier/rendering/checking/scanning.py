"""Where a source's tags are; for sources that the engine has read without an error."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_OPENINGS = re.compile(r"\{\{|\{%|\{#")
_STRINGS = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_INSIDE = {
    "{{": re.compile(_STRINGS + r"|[{}]", re.DOTALL),
    "{%": re.compile(_STRINGS + r"|%\}", re.DOTALL),
}
_RAW = re.compile(r"[-+]?\s*raw\s*[-+]?$")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")


class Kind(Enum):
    """What a piece of a source is."""

    TEXT = auto()
    PRINT = auto()
    TAG = auto()
    COMMENT = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a source: what stands between its signs, and its line, from 1."""

    kind: Kind
    text: str
    line: int


def pieces(source: str) -> Iterator[Piece]:
    """Cut a source into text, tags and what is printed."""
    line, counted = 1, 0
    for kind, start, end in spans(source):
        line += source.count("\n", counted, start)
        counted = start
        yield Piece(kind, source[start:end], line)


def where_read(source: str, name: str) -> tuple[int, int] | None:
    """Return the line and column, from 1, where tags first name a variable such as `guest.name`."""
    wanted = re.compile(rf"{_STRINGS}|(?<![\w.])({re.escape(name)})(?!\w)", re.DOTALL)
    for kind, start, end in spans(source):
        if kind not in (Kind.PRINT, Kind.TAG):
            continue
        for found in wanted.finditer(source, start, end):
            if found[1]:
                at = found.start()
                return source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)
    return None


def spans(source: str) -> Iterator[tuple[Kind, int, int]]:
    """Tell where each piece of a source begins and ends, without its signs."""
    at = 0
    while opening := _OPENINGS.search(source, at):
        if opening.start() > at:
            yield Kind.TEXT, at, opening.start()
        kind, inner, at = _tag(source, opening)
        yield kind, opening.end(), inner
        if kind is Kind.TAG and _RAW.fullmatch(source[opening.end() : inner]):
            end = _END_RAW.search(source, at)
            stop = end.start() if end else len(source)
            yield Kind.TEXT, at, stop
            at = end.end() if end else stop
    if at < len(source):
        yield Kind.TEXT, at, len(source)


def _tag(source: str, opening: re.Match[str]) -> tuple[Kind, int, int]:
    """Return the kind, where the inside ends, and where the next piece begins."""
    if opening[0] == "{#":
        end = source.find("#}", opening.end())
        inner = len(source) if end < 0 else end
        return Kind.COMMENT, inner, min(inner + 2, len(source))
    kind = Kind.PRINT if opening[0] == "{{" else Kind.TAG
    depth = 0
    at = opening.end()
    inside = _INSIDE[opening[0]]
    while found := inside.search(source, at):
        if found[0] == "%}" or (found[0] == "}" and depth == 0):
            return kind, found.start(), found.start() + 2
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        at = found.end()
    return kind, len(source), len(source)
