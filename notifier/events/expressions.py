"""Expressions, by which rules read events."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from notifier.notification.model import JsonValue

MAX_EXPRESSION_CHARS = 500
OF_EVENT = frozenset({"data", "type", "source", "subject", "id", "time"})
"""What there is to read of an event."""
OF_DIGEST = frozenset({"items", "count"})
"""What there is to read behind a digest."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What an expression reads is not there: its name, as the expression has it."""

    name: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """An expression comes to nothing that can be used; the words quote no value."""

    words: str


@dataclass(frozen=True, slots=True)
class Context:
    """What expressions read, made ready once for all of them."""

    names: Mapping[str, Any]


class Expressions(Protocol):
    """Looks expressions over, and works them out. None takes long, whatever it says."""

    def fault(self, expression: str, names: Collection[str] = OF_EVENT) -> str | None:
        """Say what is wrong with an expression before anything is known of what it reads.

        `names` are those that there will be.
        """

    def is_constant(self, expression: str) -> bool:
        """Whether it reads nothing; of one without a fault."""

    def context(self, names: Mapping[str, JsonValue]) -> Context | Unfit:
        """Make what expressions read; `Unfit` if it is too much."""

    def value(self, expression: str, context: Context) -> "JsonValue | Missing | Unfit":
        """Return what an expression comes to."""
