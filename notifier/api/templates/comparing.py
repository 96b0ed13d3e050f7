"""How contents differ."""

import difflib
from collections.abc import Iterator

from notifier.content.template import Content


def differences(earlier: Content, later: Content) -> Iterator[tuple[str, list[str]]]:
    """Return the lines of a unified diff by part, such as `en/email/subject`."""
    before, after = _named_parts(earlier), _named_parts(later)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield name, unified(old, new)


def unified(old: str, new: str) -> list[str]:
    """Return the lines of a unified diff; none where both are the same."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="")
    return [*lines][2:]


def _named_parts(content: Content) -> dict[str, str]:
    return {
        f"{locale}/{channel}/{part}": source
        for locale, channels in content.parts.items()
        for channel, parts in channels.items()
        for part, source in parts.items()
    }
