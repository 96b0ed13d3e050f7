"""JSON texts on the way into a statement."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import orjson

from notifier.errors import StoreRefusedError

RowJson: TypeAlias = bytes
"""One row of a statement's `rows`, encoded by whoever asks for it."""

_ESCAPED_NUL = rb"\u0000"


def encode(row: Mapping[str, object]) -> RowJson:
    """Return a row as JSON.

    Raises:
        StoreRefusedError: a text holds what PostgreSQL cannot store, NUL or a lone surrogate.
    """
    try:
        encoded = orjson.dumps(row)
    except TypeError:
        raise StoreRefusedError("a text is not valid Unicode") from None
    # The escape of NUL, or the text of a backslash and what looks like the rest of it.
    if _ESCAPED_NUL in encoded and any("\0" in text for text in _texts(row)):
        raise StoreRefusedError("a text holds a NUL character")
    return encoded


def _texts(row: Mapping[str, object]) -> Iterable[str]:
    for value in row.values():
        match value:
            case str():
                yield value
            case dict():
                yield from value.keys()
                yield from _texts(value)


def joined(rows: Iterable[RowJson]) -> str:
    """Return the parameter `rows` of a statement."""
    return f"[{b','.join(rows).decode()}]"
