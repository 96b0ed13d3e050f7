"""Expressions of rules: the template language's, with no way to grow what they are given.

They run here, in the process that takes events, for they are short. What could still hurt is not
there: repeating, ranges, and filters that put a value beside each of many.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache

import minijinja

from notifier.events.expressions import (
    MAX_EXPRESSION_CHARS,
    OF_DIGEST,
    OF_EVENT,
    Context,
    Missing,
    Unfit,
)
from notifier.notification.model import JsonValue
from notifier.rendering.faults import FilterError, PartError, engine_fault
from notifier.rendering.multiplying import number, times
from notifier.rendering.plain import plain
from notifier.rendering.values import Fields, shielded

FUEL = 5_000
"""What an expression may spend: going once through some thousands of values."""
_MAX_JOINED = 1_000
_MAX_JOINED_CHARS = 10_000
_KEPT = frozenset(
    {
        *("abs", "bool", "count", "d", "default", "first", "float", "int", "last", "length"),
        *("lower", "max", "min", "reject", "rejectattr", "round", "select", "selectattr"),
        *("sort", "sum", "trim", "upper"),
    }
)
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\d+\])*", re.ASCII)
_FILTER = re.compile(r"\|\s*(\w*)")
_CALL = re.compile(r"(?:(\w+)|[\])])\s*\(")
_TEST = re.compile(r"\bis(?:\s+not)?\Z")
_BEFORE_BRACKETS = frozenset({"and", "or", "not", "in", "is", "if", "else"})
_BY_ZERO = re.compile(r"[/%]\s*0+(?:\.0*)?(?![\w.])")
_SYNTAX = "is not in the expressions' language"


class _MissingError(Exception):
    """A filter found no value."""


def text(value: object) -> str:
    """Write a text, a number or true and false as text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(number("string", value))
        case _:
            raise FilterError("string", "needs a text or a number")


def join(values: object, between: object = "") -> str:
    """Write several texts or numbers as one text."""
    if not isinstance(values, list | tuple) or len(values) > _MAX_JOINED:
        raise FilterError("join", f"needs a list of at most {_MAX_JOINED:,}")
    if not isinstance(between, str) or len(between) > _MAX_JOINED:
        raise FilterError("join", "needs a short text to put between")
    texts = [text(each) for each in values]
    if sum(map(len, texts)) + len(texts) * len(between) > _MAX_JOINED_CHARS:
        raise FilterError("join", f"makes at most {_MAX_JOINED_CHARS:,} characters")
    return between.join(texts)


def attributes(values: object, *, attribute: object) -> tuple[object, ...]:
    """Return one attribute of each, which all have to have: `map(attribute='id')`."""
    if not isinstance(values, list | tuple) or not isinstance(attribute, str):
        raise FilterError("map", "needs a list, and an attribute such as attribute='id'")
    return tuple(_attribute(each, attribute) for each in values)


def _attribute(value: object, path: str) -> object:
    for name in path.split("."):
        if not isinstance(value, Fields | Mapping) or name not in value:
            raise _MissingError
        value = value[name]
    return value


_FILTERS: Mapping[str, Callable[..., object]] = {
    "times": times,
    "string": text,
    "join": join,
    "map": attributes,
}


class ExpressionEngine:
    """`Expressions` over the template language."""

    def __init__(self, fuel: int = FUEL) -> None:
        self._environment = minijinja.Environment(
            fuel=fuel,
            undefined_behavior="strict",
            filters=_FILTERS,
            debug=False,
            pycompat=False,
        )
        for name in tuple(self._environment.globals):
            self._environment.remove_global(name)

    def fault(self, expression: str, names: Collection[str] = OF_EVENT) -> str | None:
        """Say what is wrong with an expression that reads `names`."""
        if words := _fault(expression) or self._syntax_fault(expression):
            return words
        if unknown := sorted(self._read(expression).difference(names)):
            return _unknown(unknown[0], names)
        if words := next(_futile(expression), None):
            return words
        found = self.value(expression, Context({})) if self.is_constant(expression) else None
        return found.words if isinstance(found, Unfit) else None

    def is_constant(self, expression: str) -> bool:
        """Whether it reads nothing."""
        return not self._read(expression)

    def _read(self, expression: str) -> set[str]:
        return self._environment.undeclared_variables_in_str(f"{{{{ ({expression}) }}}}")

    def _syntax_fault(self, expression: str) -> str | None:
        try:
            # What is worked out has no marks of ours around it that could be complained of.
            self._environment.eval_expr(expression)
        except minijinja.TemplateError as error:
            if error.kind == "SyntaxError":
                return f"{_SYNTAX}: {error.detail}"
        except Exception:  # noqa: BLE001  it reads what is not there yet
            return None
        return None

    def context(self, names: Mapping[str, JsonValue]) -> Context | Unfit:
        """Make what expressions read."""
        try:
            return Context(shielded(names))
        except PartError as error:
            return Unfit(error.words.replace("of variables", "of data"))

    def value(self, expression: str, context: Context) -> "JsonValue | Missing | Unfit":
        """Return what an expression comes to."""
        if words := _fault(expression):
            return Unfit(words)
        try:
            found = self._environment.eval_expr(expression, **context.names)
            if found is None and self._is_missing(expression, context):
                return Missing(expression)
            return plain(found)
        except minijinja.TemplateError as error:
            return _said(error, expression)
        except _MissingError:
            return Missing(expression)
        except (FilterError, PartError) as error:
            return Unfit(str(error))
        except Exception:  # noqa: BLE001  whatever comes of a call that an expression makes
            return Unfit("it calls what cannot be called")

    def _is_missing(self, expression: str, context: Context) -> bool:
        asked = f"({expression}) is undefined"
        return bool(self._environment.eval_expr(asked, **context.names))


@lru_cache(maxsize=10_000)
def _fault(expression: str) -> str | None:
    """Say what is wrong with how an expression is written: of each once, not for each event."""
    return next(_faults(expression), None)


def _unknown(name: str, names: Collection[str]) -> str:
    there = f"there are {', '.join(sorted(names))}"
    if name in OF_DIGEST:
        return f"there is no {name} but behind a digest; {there}"
    where = " behind a digest" if name in OF_EVENT else ""
    return f"there is no {name}{where}; {there}"


def _faults(expression: str) -> Iterator[str]:
    if not expression.strip():
        yield "expected an expression, such as data.user_id"
    if expression.lstrip().startswith("{{"):
        yield "it is an expression already: leave out {{ and }}"
    if len(expression) > MAX_EXPRESSION_CHARS:
        yield f"expected at most {MAX_EXPRESSION_CHARS} characters"
    bare = _STRING.sub("''", expression)
    if "*" in bare:
        yield "there is no *; multiply with the filter times: data.price|times(2)"
    used = [match[1] for match in _FILTER.finditer(bare)]
    there = _KEPT | _FILTERS.keys()
    if unknown := [name for name in used if name not in there]:
        yield f"there is no filter {unknown[0]}; there are {', '.join(sorted(there))}"


def _futile(expression: str) -> Iterator[str]:
    """Find what never works, whatever an event says."""
    bare = _STRING.sub("''", expression)
    for match in _CALL.finditer(bare):
        before = bare[: match.start()].rstrip()
        is_filter_or_test = before.endswith("|") or _TEST.search(before)
        if match[1] not in _BEFORE_BRACKETS and not is_filter_or_test:
            yield f"there are no functions or methods, such as {match[0]}..): there are filters"
    if _BY_ZERO.search(bare):
        yield "it divides by 0"


def _said(error: minijinja.TemplateError, expression: str) -> Missing | Unfit:
    if error.kind == "OutOfFuel":
        return Unfit("it takes too much work")
    if error.kind != "UndefinedError":
        return Unfit(engine_fault(error, expression).words)
    return Missing(_named(error, expression))


def _named(error: minijinja.TemplateError, expression: str) -> str:
    """Return the path that has no value, as the expression has it."""
    start, _ = error.range or (0, 0)
    at = len(expression.encode()[:start].decode(errors="replace"))
    paths = (each for each in _PATH.finditer(expression) if each.start() <= at < each.end())
    return next((each[0] for each in paths), expression)
