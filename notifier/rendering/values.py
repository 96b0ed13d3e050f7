"""What templates see of values, and how they print."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import minijinja

from notifier.notification.model import JsonScalar, JsonValue
from notifier.rendering.faults import PartError
from notifier.rendering.limits import MAX_DATA_CHARS, MAX_DEPTH, MAX_FIELDS

Value: TypeAlias = "JsonScalar | Fields | tuple[Value, ...]"


class Allowance:
    """What the engine's fuel does not count, and may be done so often while a part is filled."""

    def __init__(self, left: int, words: str) -> None:
        self._left = left
        self._words = words

    def spend(self, count: int) -> None:
        """Spend some of it.

        Raises:
            PartError: too little is left.
        """
        self._left -= count
        if self._left < 0:
            raise PartError("too-complex", self._words)


class Fields:
    """An object as templates see it: they read its fields, and can change nothing.

    The engine hands a call of a method on to Python, so that a dict could be changed and a list be
    doubled, unseen by its fuel: there are no methods here but `items`.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> Value:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def items(self) -> Sequence[tuple[str, Value]]:
        """Return the fields with their names; without it the engine takes this for no object."""
        return tuple(self._fields.items())


def shielded(data: Mapping[str, JsonValue]) -> Mapping[str, Value]:
    """Return `data` as templates may see it.

    Raises:
        PartError: it is too much, or nested too deeply.
    """
    shield = _Shield()
    return {name: shield.over(value, 1) for name, value in data.items()}


class _Shield:
    def __init__(self) -> None:
        self._left = MAX_DATA_CHARS

    def over(self, value: JsonValue, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise PartError("too-much-data", f"variables are nested deeper than {MAX_DEPTH}")
        match value:
            case str():
                self._spend(len(value))
                return value
            case Mapping():
                self._spend(sum(map(len, value)))
                if len(value) > MAX_FIELDS:
                    words = f"an object of more than {MAX_FIELDS} fields"
                    raise PartError("too-much-data", words)
                return Fields({name: self.over(each, depth + 1) for name, each in value.items()})
            case list() | tuple():
                return tuple(self.over(each, depth + 1) for each in value)
            case _:
                self._spend(1)
                return value

    def _spend(self, chars: int) -> None:
        self._left -= chars + 1
        if self._left < 0:
            words = f"more than {MAX_DATA_CHARS:,} characters of variables"
            raise PartError("too-much-data", words)


def printed(value: object) -> str:
    """Print a value as inline content does, and null as nothing.

    Raises:
        PartError: it is a list or an object.
    """
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return _digits(value)
        case float():
            return str(value)
        case _:
            words = "a list or an object is printed; print its fields, or use the filter list"
            raise PartError("filling", words)


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        raise PartError("filling", "a number has too many digits") from None


def safe(html: str) -> str:
    """Mark HTML that was made here, so that it is not escaped."""
    return minijinja.safe(html)
