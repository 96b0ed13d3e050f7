"""Asking a provider whether it would take something, without sending anything."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a provider would take nothing, and what to do; neither holds a secret."""

    problem: str
    advice: str


@runtime_checkable
class Handshaker(Protocol):
    """An adapter that can greet its provider."""

    async def handshake(self) -> Trouble | None:
        """Connect and log in as for a message, and send none; None if the provider would take one.

        Ends within the adapter's own time-out, and raises nothing.
        """
