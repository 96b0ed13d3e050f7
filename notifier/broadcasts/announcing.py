"""Announcing a broadcast: what is wrong with it, and what would come of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from notifier.audience.topic import TopicStore
from notifier.broadcasts.broadcast import Broadcast, Counts, Whom
from notifier.broadcasts.fates import Fate, Looked, counted, each_once, reasons
from notifier.broadcasts.looking import Onlooker
from notifier.broadcasts.roll import Roll
from notifier.content.template import TemplateRef, TemplateVersion, chosen_locale
from notifier.idempotency import NotFound
from notifier.intake.draft import Flaw
from notifier.intake.drafting import MAX_DELAY, Drafter
from notifier.intake.pinning import IS_PARTIAL, why_not
from notifier.notification.model import Channel, JsonValue, Lane

MOST_REHEARSED = 1_000
"""Members whom a rehearsal looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A broadcast that somebody asks for."""

    channel: Channel
    template: TemplateRef
    whom: Whom
    variables: Mapping[str, JsonValue]
    lane: Lane = Lane.BULK
    rate_per_s: int | None = None
    send_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would come of a broadcast: of all `members`, the first were looked at."""

    members: int
    looked: Sequence[Looked]

    @property
    def counts(self) -> Counts:
        """What would become of those that were looked at."""
        accepted = sum(each.fate is Fate.ACCEPTED for each in self.looked)
        known = Counts(accepted=accepted, suppressed=reasons(self.looked))
        return counted(known, self.looked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """Makes broadcasts of wishes, and rehearses them."""

    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""
    topics: TopicStore
    roll: Roll
    onlooker: Onlooker

    @classmethod
    def over(cls, roll: Roll, drafter: Drafter) -> Self:
        """Make one that goes by the rules of a drafter."""
        onlooker = Onlooker(drafter)
        return cls(new_id=drafter.new_id, topics=roll.topics, roll=roll, onlooker=onlooker)

    async def announced(self, wish: Wish, *, service: str) -> Broadcast | list[Flaw]:
        """Return the broadcast, pinned to a version; or all that is wrong with it.

        Whether the template can be filled is only known of each member.

        Raises:
            StoreUnavailableError: its template or topic could not be looked up.
        """
        found = await self.onlooker.library.find(service, wish.template)
        flaws = [*self._flaws(wish), *await self._topic_flaws(wish.whom, service)]
        if not isinstance(found, TemplateVersion):
            return [*flaws, Flaw("template", why_not(found))]
        flaws += self._template_flaws(wish, found)
        if flaws:
            return flaws
        return Broadcast(
            id=self.new_id(),
            service=service,
            channel=wish.channel,
            lane=wish.lane,
            template=found.name,
            version_id=found.id,
            whom=wish.whom,
            variables=wish.variables,
            rate_per_s=wish.rate_per_s,
            send_at=wish.send_at,
        )

    async def rehearse(self, broadcast: Broadcast) -> Rehearsal:
        """Look at the first members, and send nothing."""
        service, whom = broadcast.service, broadcast.whom
        members = await self.roll.members(service, whom, limit=MOST_REHEARSED, after="")
        looked = each_once(await self.onlooker.look(broadcast, members))
        if len(members) < MOST_REHEARSED:
            return Rehearsal(len(members), looked)
        return Rehearsal(await self.roll.count(service, whom), looked)

    def _flaws(self, wish: Wish) -> Iterator[Flaw]:
        drafter = self.onlooker.drafter
        if wish.channel not in drafter.channels:
            yield Flaw("type", f"{wish.channel} is turned off here")
        if wish.send_at is not None and wish.send_at > drafter.clock.now() + MAX_DELAY:
            yield Flaw("send_at", "expected a time at most a year ahead")

    async def _topic_flaws(self, whom: Whom, service: str) -> Sequence[Flaw]:
        if whom.topic is None:
            return ()
        found = await self.topics.get(service, whom.topic)
        return [Flaw("topic", "there is no such topic")] if isinstance(found, NotFound) else ()

    def _template_flaws(self, wish: Wish, found: TemplateVersion) -> Iterator[Flaw]:
        if found.content.is_partial:
            yield Flaw("template", IS_PARTIAL)
        elif chosen_locale(found.content, wish.channel, None) is None:
            yield Flaw("template", f"it has nothing for {wish.channel}")
        elif wish.whom.topic is None:
            yield from self._variable_flaws(wish, found)

    def _variable_flaws(self, wish: Wish, found: TemplateVersion) -> Iterator[Flaw]:
        # Members of a topic bring variables of their own.
        completed = self.onlooker.drafter.pinner.renderer.completed(found, wish.variables)
        if not isinstance(completed, Mapping):
            yield from (Flaw("variables", each.words, each.path) for each in completed)
