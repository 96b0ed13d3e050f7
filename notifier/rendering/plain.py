"""What the engine's values are as JSON."""

import math

from notifier.notification.model import JsonValue
from notifier.rendering.faults import PartError
from notifier.rendering.limits import MAX_DATA_CHARS, MAX_DEPTH
from notifier.rendering.values import Fields


def plain(value: object) -> JsonValue:
    """Return a value as JSON.

    Raises:
        PartError: it is none, or too much.
    """
    return _Plain().of(value, 1)


class _Plain:
    def __init__(self) -> None:
        self._left = MAX_DATA_CHARS

    def of(self, value: object, depth: int) -> JsonValue:
        self._spend(len(value) if isinstance(value, str) else 1)
        if depth > MAX_DEPTH:
            raise PartError("too-much-data", f"it is nested deeper than {MAX_DEPTH}")
        match value:
            case None | bool() | str() | int():
                return value
            case float() if math.isfinite(value):
                return value
            case Fields() | dict():
                return {self._name(name): self.of(value[name], depth + 1) for name in value}
            case list() | tuple():
                return [self.of(each, depth + 1) for each in value]
            case _:
                raise PartError("filling", "it comes to what JSON does not have")

    def _name(self, name: object) -> str:
        if not isinstance(name, str):
            raise PartError("filling", "it has an object whose names are not all texts")
        self._spend(len(name))
        return name

    def _spend(self, chars: int) -> None:
        self._left -= chars
        if self._left < 0:
            words = f"it comes to more than {MAX_DATA_CHARS:,} characters"
            raise PartError("too-much-data", words)
