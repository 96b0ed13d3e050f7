"""The page that shows how it goes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from notifier.api.console.layout import Section
from notifier.api.console.overview import drawing
from notifier.api.console.overview.looking import Onlooker, Sight
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, counted, length_words
from notifier.notification.model import Status
from notifier.notification.queueing import QueueDepth
from notifier.notification.reading import Account, Waiting
from notifier.notification.statistics import Durations, Tally
from notifier.providers.standing import Standing
from notifier.roster import CONSUMING, Process, State

SECTION = Section(title="Overview", path="/overview", scope="read")
COUNTED: Mapping[str, Callable[[Tally], int]] = {
    "accepted": lambda tally: tally.accepted,
    "sent": lambda tally: tally.sent,
    "failed": lambda tally: tally.failed,
}
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_FEW = 10
_HARDLY_ANY = 0.01
_LATE_S = 10


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """Shows how it goes, and goes on showing it."""

    onlooker: Onlooker

    def pages(self) -> Sequence[ConsolePage]:
        """Declare it."""
        return (ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),)

    async def show(self, visit: Visit) -> Response:
        """Show the page, or anew what is on it."""
        sight = await self.onlooker.look(visit.caller.sees)
        name = "overview_now.html" if visit.is_partial else "overview.html"
        return visit.page(name, viewed(sight, is_of_all=visit.caller.sees is None))


def viewed(sight: Sight, *, is_of_all: bool) -> Mapping[str, object]:
    """Return what the page shows of it; what all services share only if it `is_of_all`."""
    return {
        "at": f"{sight.at:%H:%M:%S} UTC",
        "rates": None if sight.minutes is None else _rates(sight),
        "minutes": None if sight.minutes is None else _by_minute(sight.at, sight.minutes),
        "hours": None if sight.hours is None else _by_hour(sight.at, sight.hours),
        "size": {"width": drawing.WIDTH, "height": drawing.HEIGHT},
        "speeds": _speeds(sight.minutes or ()),
        "behind": _behind(sight.behind_s),
        "account": None if sight.account is None else _account(sight.account),
        "knows_queues": sight.depths is not None,
        "queues": [_queue(each) for each in sight.depths or () if is_of_all],
        "providers": [_standing(each) for each in sight.providers or () if is_of_all],
        "is_of_all": is_of_all,
        "oldest": None if sight.waiting is None else _oldest(sight.waiting),
        "workers": None if sight.processes is None else _workers(sight.processes),
    }


def _rates(sight: Sight) -> Sequence[Mapping[str, object]]:
    minute = sight.at.replace(second=0, microsecond=0)
    last = [each for each in sight.minutes or () if each.at == minute - _MINUTE]
    this_hour = minute.replace(minute=0)
    day_s = (sight.at - this_hour + 23 * _HOUR).total_seconds()
    today = [each for each in sight.hours or () if each.at > this_hour - 24 * _HOUR]
    spans = ((last, 60.0), (sight.minutes or (), 3_600.0), (today, day_s))
    return [
        {
            "word": word,
            "a_second": [_rate(_sum(count, tallies), length_s) for tallies, length_s in spans],
        }
        for word, count in COUNTED.items()
    ]


def _sum(count: Callable[[Tally], int], tallies: Iterable[Tally]) -> int:
    return sum(map(count, tallies))


def _rate(count: int, length_s: float) -> str:
    rate = count / length_s
    if not count:
        return "0"
    if rate < _HARDLY_ANY:
        return f"under {_HARDLY_ANY}"
    return f"{rate:,.0f}" if rate >= _FEW else f"{rate:.2g}"


def _by_minute(now: datetime, tallies: Sequence[Tally]) -> Mapping[str, object]:
    end = now.replace(second=0, microsecond=0)
    series = _series(tallies, [end - place * _MINUTE for place in range(59, -1, -1)])
    most = max(map(max, series.values()))
    lines = {word: drawing.line(values, most) for word, values in series.items()}
    return {"lines": lines, "most": counted(most, "notification")}


def _by_hour(now: datetime, tallies: Sequence[Tally]) -> Mapping[str, object]:
    end = now.replace(minute=0, second=0, microsecond=0)
    series = _series(tallies, [end - place * _HOUR for place in range(23, -1, -1)])
    most = max(map(max, series.values()))
    drawn = {word: drawing.bars(series[word], most) for word in ("accepted", "failed")}
    return {"bars": drawn, "most": counted(most, "notification")}


def _series(tallies: Sequence[Tally], times: Sequence[datetime]) -> Mapping[str, Sequence[int]]:
    found = {}
    for word, count in COUNTED.items():
        by_time: Counter[datetime] = Counter()
        for each in tallies:
            by_time[each.at] += count(each)
        found[word] = [by_time[at] for at in times]
    return found


def _speeds(minutes: Sequence[Tally]) -> Sequence[Mapping[str, object]]:
    by_place: dict[tuple[str, str], Durations] = {}
    for each in minutes:
        if each.channel and each.lane and each.delivery.counts:
            place = (CHANNELS[each.channel], each.lane.value)
            by_place[place] = by_place.get(place, Durations()) + each.delivery
    return [
        {
            "channel": channel,
            "lane": lane,
            "sent": f"{those.count:,}",
            "shares": [length_words(those.quantile(share) or 0) for share in (0.5, 0.95, 0.99)],
        }
        for (channel, lane), those in sorted(by_place.items())
    ]


def _behind(behind_s: float | None) -> str:
    return length_words(behind_s) if behind_s is not None and behind_s > _LATE_S else ""


def _account(account: Account) -> Mapping[str, object]:
    states = {
        status: account.by_status.get(status, 0) + account.purged.get(status, 0)
        for status in Status
    }
    return {
        "accepted": f"{account.accepted:,}",
        "states": [{"name": each.value, "count": f"{count:,}"} for each, count in states.items()],
        "is_balanced": account.is_balanced,
        "is_partial": account.goes_on_after is not None,
        "unknown": f"{account.outcome_unknown:,}",
        "late": f"{account.late_completions:,}",
    }


def _oldest(waiting: Sequence[Waiting]) -> str:
    """Return for how long the oldest waits, and which that is; empty: none does."""
    oldest = max(waiting, key=lambda each: each.oldest_s, default=None)
    if oldest is None:
        return ""
    return f"{length_words(oldest.oldest_s)} ({CHANNELS[oldest.channel]} {oldest.lane.value})"


def _workers(processes: Sequence[Process]) -> Mapping[str, object]:
    there = [each for each in processes if each.seen.state is not State.STOPPED]
    takers = [each for each in there if each.identity.role in CONSUMING]
    slots = sum(each.seen.slots for each in takers)
    return {
        "count": counted(len(takers), "worker"),
        "busy": f"{sum(each.seen.busy for each in takers):,} of {counted(slots, 'slot')} busy",
        "late": sum(each.is_late for each in there),
        "drained": sum(each.is_to_drain for each in takers),
    }


def _queue(depth: QueueDepth) -> Mapping[str, str]:
    return {"name": depth.name, "ready": f"{depth.ready:,}", "consumers": f"{depth.consumers:,}"}


def _standing(it: Standing) -> Mapping[str, object]:
    return {
        "name": it.state.name,
        "word": it.state.word,
        "channels": ", ".join(CHANNELS[each] for each in it.channels),
        "reason": it.state.reason,
        "waiting": f"{it.put_off.count:,}" if it.put_off.count else "",
        "oldest": length_words(it.put_off.oldest_s),
    }
