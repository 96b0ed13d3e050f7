"""When a schedule comes, as it is and as it is being filled in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby, islice
from operator import itemgetter
from zoneinfo import ZoneInfo

from notifier.api.console.words import time_words
from notifier.schedules.planning import Planner
from notifier.schedules.schedule import Timing, To

_COUNT = 10


@dataclass(frozen=True, slots=True)
class Ahead:
    """The next times, by its clocks; in UTC where it goes by those of `many`."""

    times: Sequence[str]
    many: bool


async def look_ahead(planner: Planner, timing: Timing, to: To, service: str) -> Ahead:
    """Return the next times.

    Raises:
        StoreUnavailableError: the clocks of whom it is for could not be looked up.
    """
    zones = await planner.clocks.zones(timing, to, service)
    many = len(zones) != 1
    clocks = UTC if many else ZoneInfo(next(iter(zones)))
    slots = timing.slots_of(planner.drafter.clock.now(), zones)
    distinct = (slot for slot, _ in groupby(slots, key=itemgetter(0)))
    return Ahead([time_words(slot, clocks) for slot in islice(distinct, _COUNT)], many)
