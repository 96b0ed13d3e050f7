"""How two texts differ."""

import difflib


def unified(old: str, new: str) -> list[str]:
    """Return the lines of a unified diff; none where both are the same."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="")
    return [*lines][2:]
