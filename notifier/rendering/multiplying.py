"""Multiplying, for there is no `*`: it repeats lists, which the engine's fuel does not count."""

from notifier.rendering.faults import FilterError

MAX_NUMBER = 10**18
MAX_REPEATED_CHARS = 1_000


def number(name: str, value: object) -> int | float:
    """Return a value that is a number.

    Raises:
        FilterError: the filter `name` was given another, or too large a one.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_NUMBER:
        return value
    raise FilterError(name, "needs a number")


def times(value: object, factor: object) -> int | float:
    """Multiply two numbers."""
    return number("times", value) * number("times", factor)


def times_or_repeated(value: object, factor: object) -> int | float | str:
    """Multiply two numbers, or repeat a text: `'-'|times(40)`."""
    if not isinstance(value, str):
        return times(value, factor)
    if not isinstance(factor, int) or len(value) * factor > MAX_REPEATED_CHARS:
        raise FilterError("times", f"repeats a text to {MAX_REPEATED_CHARS:,} characters at most")
    return value * factor
