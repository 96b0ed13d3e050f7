"""What the zoomable chart of the overview draws: rates over a span of time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse, Response

from notifier.api.console.overview.pages import COUNTED, SECTION
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.problems import InvalidField, invalid
from notifier.clock import Clock
from notifier.notification.statistics import Statistics, StatisticsFilter, Step

PATH = f"{SECTION.path}/series"
_DAY = timedelta(days=1)
# The finest step that is kept for as long, with some 1,500 points at most.
_STEPS = ((Step.MINUTE, _DAY, 3 * _DAY), (Step.HOUR, 62 * _DAY, 92 * _DAY))
_LONGEST = 1_500 * _DAY


@dataclass(frozen=True, slots=True)
class OverviewSeries:
    """Says what was accepted, sent and failed a second, as finely as a span allows."""

    statistics: Statistics
    clock: Clock

    def pages(self) -> Sequence[ConsolePage]:
        """Declare it."""
        return (ConsolePage(path=PATH, scope=SECTION.scope, serve=self.show),)

    async def show(self, visit: Visit) -> Response:
        """Show a span of time, given by the seconds since 1970 at which it begins and ends."""
        now = self.clock.now()
        before = min(_time(visit, "before") or now, now)
        since = max(_time(visit, "since") or before - _DAY, before - _LONGEST)
        step = _step(since, before, now)
        length_s = step.length_s
        first = int(since.timestamp() // length_s * length_s)
        tallies = await self.statistics.list(
            StatisticsFilter(
                step=step,
                since=datetime.fromtimestamp(first, UTC),
                before=before,
                service=visit.caller.sees,
                apart=False,
            )
        )
        times = range(first, int(before.timestamp()) + 1, int(length_s))
        rates = {}
        for word, count in COUNTED.items():
            by_time: Counter[int] = Counter()
            for each in tallies:
                by_time[int(each.at.timestamp())] += count(each)
            rates[word] = [round(by_time[at] / length_s, 4) for at in times]
        return JSONResponse({"step": step.value, "at": list(times), **rates})


def _step(since: datetime, before: datetime, now: datetime) -> Step:
    for step, longest, kept in _STEPS:
        if before - since <= longest and since >= now - kept:
            return step
    return Step.DAY


def _time(visit: Visit, name: str) -> datetime | None:
    text = visit.asked(name)
    if not text:
        return None
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        raise invalid([InvalidField(f"/{name}", "expected seconds since 1970")]) from None
