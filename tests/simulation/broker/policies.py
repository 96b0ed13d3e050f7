"""What policies make of a queue."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from notifier.queue.topology import Policy
from tests.simulation.broker.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """The rules of one queue.

    With `keeps_dying`, a dead letter stays until the queue that it goes to has taken it.
    """

    max_length: int | None = None
    refuses: bool = False
    delivery_limit: int | None = None
    dead_exchange: str | None = None
    dead_key: str | None = None
    keeps_dying: bool = False


class Definition(Protocol):
    """A policy's definition, read leniently."""

    def get(self, key: str, /) -> str | int | None: ...


def rules_of(queue: str, policies: Sequence[Policy], version: Version) -> QueueRules:
    """The rules of `queue`: those of the one policy that matches with the highest priority."""
    matching = [each for each in policies if re.search(each.pattern, queue)]
    if not matching:
        return QueueRules(delivery_limit=version.delivery_limit)
    chosen = max(matching, key=lambda policy: policy.priority)
    return _read(chosen.definition, version)


def _read(definition: Definition, version: Version) -> QueueRules:
    refuses = definition.get("overflow") == "reject-publish"
    limit = _number(definition.get("delivery-limit"))
    return QueueRules(
        max_length=_number(definition.get("max-length")),
        refuses=refuses,
        delivery_limit=version.delivery_limit if limit is None else limit,
        dead_exchange=_text(definition.get("dead-letter-exchange")),
        dead_key=_text(definition.get("dead-letter-routing-key")),
        keeps_dying=refuses and definition.get("dead-letter-strategy") == "at-least-once",
    )


def _number(value: str | int | None) -> int | None:
    return None if value is None else int(value)


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
