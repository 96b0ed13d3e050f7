"""What ails the broker at the moment."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """An alarm takes no messages; the others take or refuse them, and answer so or not at all."""

    is_down: bool = False
    alarm: bool = False
    refuses_publishes: bool = False
    holds_confirms: bool = False
    confirms_to_lose: list[Callable[[], object]] = field(default_factory=list)
    """So many connections are cut just after they published a message, before its confirm; each
    of these is called as that happens."""
