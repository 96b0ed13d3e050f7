"""Taking events: found out what comes of them, stored with it, then published."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from notifier.events.counts import Refusal, Taking, Tally
from notifier.events.event import (
    Answer,
    Differs,
    Event,
    EventStore,
    Reacting,
    Reaction,
    Repeated,
    Taken,
)
from notifier.intake.submission import Submitter

_REACTED_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDesk:
    """Takes events from wherever they come."""

    store: EventStore
    reacting: Reacting
    submitter: Submitter
    tally: Tally
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""

    async def take(self, events: Sequence[Event]) -> Sequence[Answer]:
        """Store each with its effects, and publish those that are due; answers in their order.

        Once this returns they are committed. What was stored before has no second effect.

        Raises:
            StoreUnavailableError: it is not known which are stored; take them again.
            StoreRefusedError: a text of theirs cannot be stored.
        """
        found: dict[int, Answer] = {
            nth: each for nth, each in enumerate(await self.store.known(events)) if each
        }
        new = [nth for nth in range(len(events)) if nth not in found]
        reactions = await self._reactions([events[nth] for nth in new])
        recorded = await self.store.record(reactions) if reactions else ()
        found.update(zip(new, recorded, strict=True))
        for each in found.values():
            self._count(each)
        await self._publish(recorded)
        return [found[nth] for nth in range(len(events))]

    def _count(self, answer: Answer) -> None:
        match answer:
            case Taken():
                self.tally.count(Taking.STORED)
                for outcome in answer.outcomes:
                    self.tally.count(outcome)
            case Repeated():
                self.tally.count(Taking.REPEATED)
            case Differs():
                self.tally.count(Refusal.DIFFERENT)

    async def _reactions(self, events: Sequence[Event]) -> Sequence[Reaction]:
        starts = range(0, len(events), _REACTED_AT_ONCE)
        portions = [events[start : start + _REACTED_AT_ONCE] for start in starts]
        found = [await asyncio.gather(*map(self._react, portion)) for portion in portions]
        return [each for portion in found for each in portion]

    async def _react(self, event: Event) -> Reaction:
        return Reaction(self.new_id(), event, await self.reacting.react(event))

    async def _publish(self, answers: Sequence[Answer]) -> None:
        due = [
            submission
            for answer in answers
            if isinstance(answer, Taken)
            for submission in answer.submissions
        ]
        await self.submitter.publish(due)
