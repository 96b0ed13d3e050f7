"""What ails the broker at the moment."""

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """An alarm takes no messages; the others take or refuse them, and answer so or not at all."""

    is_down: bool = False
    alarm: bool = False
    refuses_publishes: bool = False
    holds_confirms: bool = False
    confirms_to_lose: int = 0
    """So many connections are cut just after they published a message, before its confirm."""
