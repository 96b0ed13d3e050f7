"""Events that arrive as messages: whose they are, what they say, and what becomes of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson
import structlog

from notifier.errors import NotifierError, StoreBusyError, StoreRefusedError, StoreUnavailableError
from notifier.events.cloudevents import STRUCTURED, read_structured
from notifier.events.counts import Refusal
from notifier.events.desk import EventDesk
from notifier.events.event import Answer, Differs, Event

log = structlog.get_logger(__name__)

ANYBODY: Final = "*"
MAX_BODY_BYTES: Final = 200_000
_MOST_FLAWS = 5
_TYPES = (STRUCTURED, "application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message with an event; `user` is who published it, by the broker's word."""

    body: bytes
    content_type: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never be taken as it is; `reason` repeats nothing of it."""

    reason: str
    why: Refusal = Refusal.INVALID


Fate: TypeAlias = Refused | None
"""What becomes of a delivery; None: it is stored with its effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Takes the events of messages.

    `owners` says which service the events of a user of the broker's are; those of others are of
    the service of the same name, and messages without a user of that of `ANYBODY`, if it is there.
    """

    desk: EventDesk
    owners: Mapping[str, str]

    async def take(self, deliveries: Sequence[Delivery]) -> Sequence[Fate]:
        """Store what these bring; what becomes of each, in their order.

        Raises:
            StoreUnavailableError: it is not known which are stored; take them again.
        """
        read = [self._read(each) for each in deliveries]
        events = [each for each in read if isinstance(each, Event)]
        taken = iter(await self._take(events))
        fates = [next(taken) if isinstance(each, Event) else each for each in read]
        for fate in fates:
            # What was taken before as something else, the desk has counted.
            if fate and fate.why is not Refusal.DIFFERENT:
                self.desk.tally.count(fate.why)
        return fates

    async def _take(self, events: Sequence[Event]) -> Sequence[Fate]:
        if not events:
            return []
        try:
            return list(map(_fate, await self.desk.take(events)))
        except (StoreUnavailableError, StoreBusyError):
            raise
        except Exception as error:
            if len(events) > 1:
                # Whichever it was keeps no other from being taken.
                return [fate for each in events for fate in await self._take([each])]
            if isinstance(error, StoreRefusedError):
                return [Refused("the database refuses a value of it", Refusal.FAILED)]
            if isinstance(error, NotifierError):
                raise
            log.exception("event.crashed", type=events[0].type)
            return [Refused("notifier failed at it: see its log", Refusal.FAILED)]

    def _read(self, delivery: Delivery) -> Event | Refused:
        service = self._owner(delivery.user)
        if service is None:
            words = "it has no user_id, and NOTIFIER_EVENTS__OWNERS names nobody for *"
            return Refused(words, Refusal.UNOWNED)
        type = (delivery.content_type or STRUCTURED).partition(";")[0].strip().lower()
        if type not in _TYPES:
            return Refused(f"its content_type is not {STRUCTURED}")
        if len(delivery.body) > MAX_BODY_BYTES:
            return Refused(f"it is larger than {MAX_BODY_BYTES} bytes")
        try:
            value = orjson.loads(delivery.body)
        except ValueError:
            return Refused("it is not JSON")
        event = read_structured(value, service)
        if isinstance(event, Event):
            return event
        flaws = (f"{each.field}: {each.words}".lstrip(": ") for each in event[:_MOST_FLAWS])
        return Refused("; ".join(flaws))

    def _owner(self, user: str | None) -> str | None:
        if user is None:
            return self.owners.get(ANYBODY)
        return self.owners.get(user, user)


def _fate(answer: Answer) -> Fate:
    if isinstance(answer, Differs):
        words = "another event with this source and id was taken before"
        return Refused(words, Refusal.DIFFERENT)
    return None
