"""What goes wrong while a part is read or filled, in words that quote no value."""

import re
from collections.abc import Mapping

import minijinja

from notifier.errors import NotifierError

_WORDS: Mapping[str, str] = {
    "OutOfFuel": "too much work; show fewer rows",
    "InvalidOperation": "a value does not fit what is done with it, such as a division by 0",
    "UnknownMethod": "values have no methods; use a filter",
    "TemplateNotFound": "parts cannot take in others",
    "BadInclude": "parts cannot take in others",
    "BadEscape": "a string has an escape that there is not",
}
_CODES: Mapping[str, str] = {"SyntaxError": "syntax", "OutOfFuel": "too-complex"}
_DETAILED = frozenset({"SyntaxError", "UnknownFilter", "UnknownFunction", "UnknownTest"})
"""Kinds whose detail names what the source says, and never a value."""
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\d+\])*", re.ASCII)
_MAX_DETAIL_CHARS = 200


class FilterError(Exception):
    """A filter cannot take its value; the words do not quote it."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"the filter {name} {words}")
        self.name = name


class PartError(NotifierError):
    """A part cannot be read or filled: where, and in words that quote no value."""

    def __init__(
        self,
        code: str,
        words: str,
        *,
        line: int | None = None,
        column: int | None = None,
        partial: str | None = None,
    ) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.line = line
        self.column = column
        self.partial = partial
        """The partial that the line is in."""


def engine_fault(error: minijinja.TemplateError, source: str) -> PartError:
    """Say what the engine says, without what its details may quote."""
    code = _CODES.get(error.kind, "filling")
    return PartError(code, _words(error, source), line=error.line, column=_column(error, source))


def filter_fault(fault: FilterError, source: str) -> PartError:
    """Say where a filter was given what it cannot take, if only one line has it."""
    used = re.compile(rf"\|\s*{fault.name}\b")
    lines = [number for number, line in enumerate(source.split("\n"), 1) if used.search(line)]
    return PartError("filling", str(fault), line=lines[0] if len(lines) == 1 else None)


def _words(error: minijinja.TemplateError, source: str) -> str:
    if error.kind == "UndefinedError":
        return f"no value for {_name(error, source)}"
    if error.kind in _DETAILED and error.detail:
        return error.detail[:_MAX_DETAIL_CHARS]
    return _WORDS.get(error.kind, f"cannot be filled ({error.kind})")


def _name(error: minijinja.TemplateError, source: str) -> str:
    """The name that has no value, as the source has it."""
    start, end = error.range or (0, 0)
    written = source.encode()[start:end].decode(errors="replace")
    return written if _PATH.fullmatch(written) else "something that it prints"


def _column(error: minijinja.TemplateError, source: str) -> int | None:
    if error.range is None:
        return None
    before = source.encode()[: error.range[0]].decode(errors="replace")
    return len(before) - before.rfind("\n")
