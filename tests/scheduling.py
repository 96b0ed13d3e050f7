"""Schedules, for tests: what a relay does for them, as of any time."""

from datetime import datetime

from sqlalchemy import literal, select

from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.expanding import BroadcastDuties
from notifier.broadcasts.looking import Onlooker
from notifier.broadcasts.pacing import ExpansionPace
from notifier.broadcasts.roll import Roll
from notifier.schedules.clocks import Clocks
from notifier.schedules.firing import FiringPace, Maker, ScheduleDuties
from notifier.store.kit.sql import UtcTime
from notifier.store.schedules.firing import SqlFiring
from tests.api import Api, drafter_of


def relay_at(api: Api, at: datetime, pace: FiringPace | None = None) -> ScheduleDuties:
    """Return what a relay has that finds this time in the database."""
    stores, drafter = api.stores, drafter_of(api.services)
    roll = Roll(stores.topics, stores.people, stores.topic_zones)
    return ScheduleDuties(
        SqlFiring(stores.database, now=select(literal(at, UtcTime))),
        Maker(drafter=drafter, announcer=Announcer.over(roll, drafter)),
        Clocks(drafter.audience, stores.topic_zones),
        pace or FiringPace(),
    )


async def fire(api: Api, at: datetime, pace: FiringPace | None = None) -> None:
    """Fire all that is due by this time."""
    duties = relay_at(api, at, pace)
    while await duties.fire():
        pass


async def expand(api: Api) -> None:
    """Let broadcasts that are due become notifications."""
    stores, drafter = api.stores, drafter_of(api.services)
    roll = Roll(stores.topics, stores.people, stores.topic_zones)
    duties = BroadcastDuties(stores.expansion, roll, Onlooker(drafter), ExpansionPace())
    while await duties.expand():
        pass
