"""When a schedule comes, as it is and as it is being filled in."""

from collections.abc import Sequence
from datetime import UTC
from itertools import groupby, islice
from operator import itemgetter
from zoneinfo import ZoneInfo

from notifier.api.console.words import time_words
from notifier.schedules.planning import Planner
from notifier.schedules.schedule import Timing, To

_COUNT = 10


async def times_ahead(planner: Planner, timing: Timing, to: To, service: str) -> Sequence[str]:
    """Return the next times, by its clocks; in UTC where it goes by those of many.

    Raises:
        StoreUnavailableError: the clocks of whom it is for could not be looked up.
    """
    zones = await planner.clocks.zones(timing, to, service)
    clocks = ZoneInfo(next(iter(zones))) if len(zones) == 1 else UTC
    slots = timing.slots_of(planner.drafter.clock.now(), zones)
    distinct = (slot for slot, _ in groupby(slots, key=itemgetter(0)))
    return [time_words(slot, clocks) for slot in islice(distinct, _COUNT)]
