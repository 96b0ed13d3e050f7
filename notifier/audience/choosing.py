"""Choosing by a link: what somebody gets, and what they want of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from notifier.audience.choice_change import Source
from notifier.audience.choices import Choices, Place
from notifier.audience.links import Chooser
from notifier.notification.model import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What somebody chose, over which channels they can be reached, and in which language.

    An address that nobody in the directory has says by its entries on the suppression list what it
    does not want.
    """

    choices: Choices = field(default_factory=Choices)
    channels: Collection[Channel] = ()
    locale: str | None = None
    is_known: bool = True
    """False: the directory had them when they got their link, and has them no more."""


class Choosing(Protocol):
    """What people, or addresses alone, chose. Choices go by user id, where there is one."""

    async def chosen(self, chooser: Chooser) -> Chosen:
        """What they chose so far: nothing, where they are not known any more."""

    async def choose(
        self, chooser: Chooser, changes: Mapping[Place, bool | None], source: Source
    ) -> int:
        """Put these in, or take them back where they are None; returns how many are new.

        An address comes off the suppression list where it unsubscribed, never where it bounced or
        complained. Whoever wants one thing again does not refuse everything any more: what else
        is not wanted has to be among the changes.
        """
