"""What is wrong with a rule as it was written, and where."""

from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class RuleFlaw:
    """One thing that is wrong, in words that do not repeat it."""

    path: Path
    """Into the rule's JSON."""
    words: str
