"""Whom a broadcast is for, in the order of their user ids."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from notifier.audience.person import PeopleFilter, PersonStore
from notifier.audience.topic import Member, TopicStore, TopicZones
from notifier.broadcasts.broadcast import Whom
from notifier.idempotency import NotFound


@dataclass(frozen=True, slots=True)
class Roll:
    """Reads the members of a topic, or those people of a directory who have some attributes."""

    topics: TopicStore
    people: PersonStore
    zones: TopicZones

    async def members(
        self, service: str, whom: Whom, *, limit: int, after: str
    ) -> Sequence[Member]:
        """Return those behind the user id `after`, those to exclude among them."""
        if whom.topic is not None and whom.zone is not None:
            return await self.zones.members(
                service, whom.topic, whom.zone, limit=limit, after=after
            )
        if whom.topic is not None:
            return await self.topics.members(service, whom.topic, limit=limit, after=after)
        return [member async for member in self._people(service, whom, limit, after)]

    async def _people(
        self, service: str, whom: Whom, limit: int, after: str
    ) -> AsyncIterator[Member]:
        filter, place = PeopleFilter(attributes=whom.attributes), (service, after)
        while limit:
            page = await self.people.list(service=service, filter=filter, limit=limit, after=place)
            for each in page.people:
                yield Member(each.user_id)
            if page.goes_on_after is None:
                return
            limit, place = limit - len(page.people), page.goes_on_after

    async def is_there(self, service: str, whom: Whom) -> bool:
        """Whether there is still somebody to ask for: a topic may have been removed."""
        if whom.topic is None:
            return True
        return not isinstance(await self.topics.get(service, whom.topic), NotFound)

    async def count(self, service: str, whom: Whom) -> int:
        """Return how many there are."""
        if whom.topic is not None:
            return await self.topics.count(service, whom.topic)
        return await self.people.count(
            service=service, filter=PeopleFilter(attributes=whom.attributes)
        )
