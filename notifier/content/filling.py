"""Templates: text with `{{ variable }}` in it, filled from a notification's variables.

Substitution only, no logic: filling takes time in proportion to what comes out, and a template
whose output would be too long is refused before any of it is built. A name may reach into
objects with dots: `{{ order.total }}`.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from notifier.errors import TemplateError
from notifier.notification.model import JsonValue

Variables: TypeAlias = Mapping[str, JsonValue]

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}\}", re.ASCII)
_MAX_NAMES_SHOWN = 10
_MAX_NAME_CHARS = 80


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


def _fill(template: str, variables: Variables, escape: Callable[[str], str], max_chars: int) -> str:
    if "{{" not in template:
        _refuse_long_output(template, (), {}, max_chars)
        return template
    placeholders = list(_PLACEHOLDER.finditer(template))
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
        message = f"no placeholder follows the '{{{{' at character {at + 1}; write {{{{ name }}}}"
        raise TemplateError(message)


def _values(placeholders: Sequence[re.Match[str]], variables: Variables) -> dict[str, str]:
    names = dict.fromkeys(match[1] for match in placeholders)
    found = {name: _value(name, variables) for name in names}
    wrong = [name for name, value in found.items() if value is None]
    if wrong:
        message = f"no value in variables for {_enumerated(wrong)}"
        raise TemplateError(message)
    return {name: value for name, value in found.items() if value is not None}


def _enumerated(names: Sequence[str]) -> str:
    shown = ", ".join(name[:_MAX_NAME_CHARS] for name in names[:_MAX_NAMES_SHOWN])
    more = len(names) - _MAX_NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _value(name: str, variables: Variables) -> str | None:
    value: JsonValue | Variables = variables
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return _digits(name, value)
        case str() | float():
            return str(value)
        case _:
            return None


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
    if len(template) + growth > max_chars:
        message = f"longer than {max_chars} characters once its variables are filled in"
        raise TemplateError(message)
