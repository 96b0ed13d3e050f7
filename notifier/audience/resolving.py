"""Whom something is for, and whether they want it: the same at accept and as it is sent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from notifier.audience.category import Categories, Category
from notifier.audience.person import Directory, Person
from notifier.audience.preference import Decision, Occasion, decide
from notifier.notification.model import Channel, Lane


@dataclass(frozen=True, slots=True)
class Audience:
    """Finds the people of services, and says what they want of what."""

    directory: Directory
    categories: Categories

    async def people(self, service: str, user_ids: Collection[str]) -> Mapping[str, Person]:
        """Return those whom the service knows, by the ids asked for.

        Raises:
            StoreUnavailableError: the directory could not be read.
        """
        return await self.directory.people(service, user_ids) if user_ids else {}

    async def decided(
        self,
        service: str,
        person: Person | None,
        category: Category | None,
        *,
        channel: Channel,
        lane: Lane,
        now: datetime,
    ) -> Decision:
        """Say whether somebody wants something at `now`; None: whom the directory does not know.

        Whether their address is on the suppression list is not looked at.

        Raises:
            StoreUnavailableError: what the service declared could not be read.
        """
        declared = await self.categories.of(service)
        occasion = Occasion(
            channel=channel, lane=lane, category=category, quiet_hours=declared.quiet_hours
        )
        return decide(occasion, person, now)
