"""Templates: text with `{{ variable }}` in it, filled from a notification's variables.

Substitution only, no logic: filling takes time in proportion to what comes out, and a template
whose output would be too long is refused before any of it is built. A name may reach into
objects with dots: `{{ order.total }}`.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import TypeAlias

from notifier.errors import TemplateError
from notifier.notification.model import JsonValue

Variables: TypeAlias = Mapping[str, JsonValue]

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}\}", re.ASCII)
_LOGIC = re.compile(r"\{[%#]")
_MAX_NAMES_SHOWN = 10
_MAX_NAME_CHARS = 80


class _NoText(Enum):
    """What a name may lead to instead of a text."""

    MISSING = "missing"
    NULL = "null"
    LIST = "a list"
    OBJECT = "an object"


def fill_text(template: str, variables: Variables, *, max_chars: int) -> str:
    """Fill `template` as plain text.

    Raises:
        TemplateError: variables are missing or no scalars (the first ten are named), a `{{` opens
            no placeholder, or the result would be longer than `max_chars`. The message quotes
            neither the template's text nor a value.
    """
    return _fill(template, variables, str, max_chars)


def fill_html(template: str, variables: Variables, *, max_chars: int) -> str:
    """Fill `template` as HTML, values escaped. Raises as `fill_text` does."""
    return _fill(template, variables, html.escape, max_chars)


def as_it_is(text: str, *, max_chars: int) -> str:
    """Return a finished text, in which braces are just braces.

    Raises:
        TemplateError: it is longer than `max_chars`.
    """
    if len(text) > max_chars:
        message = f"longer than {max_chars} characters"
        raise TemplateError(message)
    return text


def refuse_logic(template: str) -> None:
    """Refuse what would be logic or a comment in a stored template, and is neither here.

    Raises:
        TemplateError: there is such an opening; says where, and what to do.
    """
    if "{%" not in template and "{#" not in template:
        return
    if found := _LOGIC.search(template):
        message = (
            f"'{found[0]}' at character {found.start() + 1}: conditions, loops and comments are "
            "for templates (docs/templates.md); to send these braces as they are, "
            'add "literal": true'
        )
        raise TemplateError(message)


def _fill(template: str, variables: Variables, escape: Callable[[str], str], max_chars: int) -> str:
    if "{{" not in template:
        _refuse_long(len(template), max_chars)
        return template
    placeholders = list(_PLACEHOLDER.finditer(template))
    if template.count("{{") != len(placeholders):
        _refuse_stray_openings(template, placeholders)
    values = {name: escape(value) for name, value in _values(placeholders, variables).items()}
    _refuse_long_output(template, placeholders, values, max_chars)
    return "".join(_parts(template, placeholders, values))


def _parts(
    template: str, placeholders: Sequence[re.Match[str]], values: Mapping[str, str]
) -> Iterator[str]:
    end = 0
    for match in placeholders:
        yield template[end : match.start()]
        yield values[match[1]]
        end = match.end()
    yield template[end:]


def _refuse_stray_openings(template: str, placeholders: Sequence[re.Match[str]]) -> None:
    end = 0
    for match in placeholders:
        _refuse_opening(template, end, match.start())
        end = match.end()
    _refuse_opening(template, end, len(template))


def _refuse_opening(template: str, start: int, end: int) -> None:
    at = template.find("{{", start, end)
    if at >= 0:
        message = (
            f"no placeholder follows the '{{{{' at character {at + 1}: write {{{{ name }}}}, of "
            "letters, digits and underscores, with dots that lead into objects; to send these "
            'braces as they are, add "literal": true'
        )
        raise TemplateError(message)


def _values(placeholders: Sequence[re.Match[str]], variables: Variables) -> dict[str, str]:
    found = {name: _value(name, variables) for name in {match[1]: None for match in placeholders}}
    values = {name: value for name, value in found.items() if isinstance(value, str)}
    if len(values) < len(found):
        wrong = {name: value for name, value in found.items() if isinstance(value, _NoText)}
        raise TemplateError("; ".join(_refusals(wrong, variables)))
    return values


def _refusals(wrong: Mapping[str, _NoText], variables: Variables) -> Iterator[str]:
    if missing := [name for name, found in wrong.items() if found is _NoText.MISSING]:
        names = list(islice(_names(variables), _MAX_NAMES_SHOWN + 1))
        given = _enumerated(names, "more") if names else "none"
        yield f"no value in variables for {_enumerated(missing)}; there are {given}"
    for kind in (_NoText.LIST, _NoText.OBJECT, _NoText.NULL):
        if names := [name for name, found in wrong.items() if found is kind]:
            yield f"{_enumerated(names)} in variables is {kind.value}, not text or a number"


def _names(variables: Variables) -> Iterator[str]:
    """Yield what placeholders may name, objects' members as far as two levels down."""
    for name, value in variables.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{member}" for member in value)
        else:
            yield name


def _enumerated(names: Sequence[str], rest: str = "") -> str:
    shown = ", ".join(name[:_MAX_NAME_CHARS] for name in names[:_MAX_NAMES_SHOWN])
    more = len(names) - _MAX_NAMES_SHOWN
    return f"{shown} and {rest or f'{more} more'}" if more > 0 else shown


def _value(name: str, variables: Variables) -> str | _NoText:
    value: JsonValue | Variables = variables
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _NoText.MISSING
        value = value[part]
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return _digits(name, value)
        case str() | float():
            return str(value)
        case None:
            return _NoText.NULL
        case list():
            return _NoText.LIST
        case _:
            return _NoText.OBJECT


def _digits(name: str, value: int) -> str:
    try:
        return str(value)
    except ValueError as error:
        message = f"the number in {_enumerated([name])} has too many digits"
        raise TemplateError(message) from error


def _refuse_long_output(
    template: str,
    placeholders: Sequence[re.Match[str]],
    values: Mapping[str, str],
    max_chars: int,
) -> None:
    growth = sum(len(values[match[1]]) - len(match[0]) for match in placeholders)
    _refuse_long(len(template) + growth, max_chars)


def _refuse_long(chars: int, max_chars: int) -> None:
    if chars > max_chars:
        message = f"longer than {max_chars} characters once its variables are filled in"
        raise TemplateError(message)
