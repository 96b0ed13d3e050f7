"""Where a claimed notification goes, by what its recipient wants at the last moment."""

from dataclasses import dataclass, replace
from datetime import datetime

from notifier.audience.caps import CapStore
from notifier.audience.person import Person
from notifier.audience.preference import (
    Decision,
    Defer,
    Send,
    Suppress,
    cap_use,
    decide,
    over_cap,
)
from notifier.audience.resolving import Audience
from notifier.clock import Clock
from notifier.delivery.ports import Claimed, Leases
from notifier.notification.model import Addressee
from notifier.notification.outcomes import Deferred, Suppressed, Withheld

_GONE = Suppressed("unknown_user", "its recipient is not in the directory any more")
_NOWHERE = Suppressed("no_address", "its recipient has no address for this channel any more")
_BARRED = Suppressed("suppression", "its recipient's new address is on the suppression list")


@dataclass(frozen=True, slots=True)
class Addressed:
    """What is to be sent, and to whom; None: to nobody whom the directory knows."""

    claimed: Claimed
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class Addresser:
    """Looks once more who a notification is for, where they are, and whether they want it."""

    audience: Audience
    leases: Leases
    caps: CapStore
    clock: Clock

    async def addressed(self, claimed: Claimed) -> Addressed | Withheld:
        """Address a claimed notification, or say why it is not sent, or not now.

        Raises:
            StoreUnavailableError: the directory or a cap could not be read.
        """
        to = claimed.addressee
        if to is None or to.user_id is None:
            return Addressed(claimed)
        person = (await self.audience.people(claimed.service, [to.user_id])).get(to.user_id)
        if person is None:
            return _GONE
        occasion = await self.audience.occasion(
            claimed.service, to.category, channel=claimed.channel, lane=claimed.lane
        )
        now = self.clock.now()
        if withheld := _withheld(decide(occasion, person, now), now):
            return withheld
        there = await self._sent_to(claimed, to, person)
        use = cap_use(occasion, person, now)
        if not isinstance(there, Addressed) or use is None:
            return there
        return there if await self.caps.spend(use, claimed.id) else _told(over_cap(use))

    async def _sent_to(
        self, claimed: Claimed, to: Addressee, person: Person
    ) -> Addressed | Withheld:
        if to.is_address_given:
            return Addressed(claimed, person)
        there = person.address_for(claimed.channel)
        if there is None:
            return _NOWHERE
        if there.address == claimed.recipient:
            return Addressed(claimed, person)
        if not await self.leases.redirect(claimed, there.address):
            return _BARRED
        return Addressed(replace(claimed, recipient=there.address), person)


def _withheld(decision: Decision, now: datetime) -> Withheld | None:
    match decision:
        case Suppress():
            return _told(decision)
        case Defer(until=until, why=why):
            return Deferred(why.code, why.words, (until - now).total_seconds())
        case Send():
            return None


def _told(suppress: Suppress) -> Suppressed:
    return Suppressed(suppress.why.code, suppress.why.words)
