"""How each part that notifier needs is, as whoever runs it is told."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias


class State(StrEnum):
    """How a part is."""

    FINE = "fine"
    WRONG = "wrong"
    NOT_CHECKED = "not checked"


class Finding(NamedTuple):
    """What was found of a part, and what to do if it is wrong; neither holds a secret."""

    state: State
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of notifier, how it is, and how long it took to find out."""

    name: str
    finding: Finding
    took_s: float


Examine: TypeAlias = Callable[[], Awaitable[Sequence[Part]]]
"""Looks at every part; sends nothing, and raises nothing of what it finds."""
