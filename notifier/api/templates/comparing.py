"""How contents differ."""

from collections.abc import Iterator

from notifier.api.kit.differing import unified
from notifier.content.template import Content


def differences(earlier: Content, later: Content) -> Iterator[tuple[str, list[str]]]:
    """Return the lines of a unified diff by part, such as `en/email/subject`."""
    before, after = _named_parts(earlier), _named_parts(later)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield name, unified(old, new)


def _named_parts(content: Content) -> dict[str, str]:
    return {
        f"{locale}/{channel}/{part}": source
        for locale, channels in content.parts.items()
        for channel, parts in channels.items()
        for part, source in parts.items()
    }
