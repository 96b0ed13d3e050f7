"""Changing what somebody wants: their choices, and when they are left in peace."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from notifier.audience.choice_change import Source
from notifier.audience.choices import Place
from notifier.audience.person import Person
from notifier.audience.quiet_hours import QuietHours
from notifier.idempotency import LostRace, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What somebody wants changed. Of choices, None leaves it to what the service declared."""

    choices: Mapping[Place, bool | None] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    sets_quiet_hours: bool = False
    """Whether `quiet_hours` are meant; None takes them back then."""

    def of(self, person: Person) -> QuietHours | None:
        """Return the quiet hours that somebody has with this."""
        return self.quiet_hours if self.sets_quiet_hours else person.quiet_hours


def preferences_etag(person: Person) -> str:
    """Return what tells the states of somebody's preferences apart."""
    hours = person.quiet_hours.encode() if person.quiet_hours else ""
    text = f"{person.choices.encode()}{hours}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class PreferenceStore(Protocol):
    """Changes what people want, and notes each choice that is another one then."""

    async def change(
        self,
        service: str,
        user_id: str,
        wishes: Wishes,
        source: Source,
        *,
        if_match: str | None = None,
    ) -> Person | NotFound | LostRace:
        """Return whom the service knows by this id as they are then.

        `if_match` is the `preferences_etag` that is meant; None: any.
        """
