"""Clocks: the time zones of people, and of the members of topics."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from notifier.audience.resolving import Audience
from notifier.audience.topic import TopicZones
from notifier.schedules.schedule import Timing, To, ToTopic, ToUser
from notifier.schedules.slot import RECIPIENT


@dataclass(frozen=True, slots=True)
class Clocks:
    """Knows by which clocks something is due."""

    audience: Audience
    topics: TopicZones

    async def zones(self, timing: Timing, to: To, service: str) -> Collection[str]:
        """Return the names of the zones by whose clocks it is due.

        Raises:
            StoreUnavailableError: the clocks of whom it is for could not be looked up.
        """
        if timing.zone != RECIPIENT:
            return [timing.zone]
        if isinstance(to, ToTopic):
            return await self.topics.of(service, to.topic) or [self._nobodys]
        if isinstance(to, ToUser):
            return [(await self.of_people(service, [to.user_id]))[to.user_id]]
        return [self._nobodys]

    async def of_people(self, service: str, user_ids: Collection[str]) -> Mapping[str, str]:
        """Return the name of the zone of each of these people.

        Raises:
            StoreUnavailableError: the directory could not be read.
        """
        people = await self.audience.people(service, user_ids)
        known = {id: person.time_zone for id, person in people.items()}
        return {id: known.get(id) or self._nobodys for id in user_ids}

    @property
    def _nobodys(self) -> str:
        """The zone of whom none is known of."""
        return str(self.audience.default_zone)
