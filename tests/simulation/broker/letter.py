"""A message as it lies in a queue."""

from dataclasses import dataclass
from typing import Any

from tests.simulation.broker import frames
from tests.simulation.broker.versions import Version


@dataclass(slots=True, eq=False)
class Letter:
    """A message; `properties` are encoded, without what the broker adds at each delivery.

    `failures` are the deliveries that count towards the limit, `returns` all that ended with the
    message back in its queue.
    """

    exchange: str
    routing_key: str
    properties: bytes
    body: bytes
    was_dead: bool = False
    """Whether a broker, and no client, put it where it is."""
    tells_of_deliveries: bool = False
    """Whether it is marked as delivered before, though not in the queue where it is."""
    failures: int = 0
    returns: int = 0

    @property
    def headers(self) -> dict[str, Any]:
        """Its headers, as published or as dead-lettered."""
        return dict(frames.properties_of(self.properties).headers or {})

    @property
    def id(self) -> str:
        """Its message id, or what else tells it from others."""
        return frames.properties_of(self.properties).message_id or self.body[:20].hex()

    @property
    def address(self) -> bytes:
        """Its exchange and routing key, as they stand in a frame."""
        return frames.short(self.exchange) + frames.short(self.routing_key)

    @property
    def is_again(self) -> bool:
        """Whether it is marked as delivered before."""
        return self.returns > 0 or self.tells_of_deliveries

    def copy(self) -> "Letter":
        """The same content in another queue, where it was never delivered."""
        return Letter(
            self.exchange,
            self.routing_key,
            self.properties,
            self.body,
            self.was_dead,
            self.tells_of_deliveries,
            self.failures,
        )

    def shown(self, version: Version, *, is_fetched: bool = False) -> bytes:
        """Its properties as a client gets them, with the counts of its deliveries."""
        properties = self.properties
        if self.failures or (is_fetched and version.counts_first_get):
            properties = frames.with_count(properties, "x-delivery-count", self.failures)
        if self.returns and not version.counts_nacks:
            properties = frames.with_count(properties, "x-acquired-count", self.returns)
        return properties
