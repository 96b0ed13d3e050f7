"""What all connections of a broker share."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from tests.simulation.broker.entities import Entities
from tests.simulation.broker.faults import Faults


class Client(Protocol):
    """A connection, as the broker sees it."""

    def flush(self) -> None: ...
    def cut(self) -> None: ...
    def stir(self) -> None: ...


@dataclass(slots=True, eq=False)
class House:
    """What there is, what ails it, and who is connected.

    What is to be sent is gathered, and handed over at the end of whatever caused it: `flush`.
    """

    loop: asyncio.AbstractEventLoop
    entities: Entities
    faults: Faults = field(default_factory=Faults)
    clients: dict[Client, None] = field(default_factory=dict)
    _unsent: dict[Client, None] = field(default_factory=dict)

    def flush_later(self, client: Client) -> None:
        """Hand over what `client` is to be sent with the next `flush`."""
        self._unsent[client] = None

    def flush(self) -> None:
        """Hand over what is to be sent."""
        while self._unsent:
            client = next(iter(self._unsent))
            del self._unsent[client]
            client.flush()
