"""Looking at everything at once: what database and broker say of how it goes."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from notifier.clock import Clock
from notifier.errors import NotifierError
from notifier.notification.model import Channel
from notifier.notification.queueing import Queue, QueueDepth
from notifier.notification.reading import Account, QueryStore, Waiting
from notifier.notification.statistics import Statistics, StatisticsFilter, Step, Tally
from notifier.providers.account import ProviderStore
from notifier.providers.standing import Standing, standings
from notifier.roster import Process, Roster

_MOST_PROCESSES = 1_000
_FRESH_S = 2.0
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen at a time; None where nobody answered."""

    at: datetime
    minutes: Sequence[Tally] | None
    """Of the last hour, by channel and lane."""
    hours: Sequence[Tally] | None
    """Of the last day."""
    behind_s: float | None
    account: Account | None
    depths: Sequence[QueueDepth] | None
    providers: Sequence[Standing] | None
    waiting: Sequence[Waiting] | None
    processes: Sequence[Process] | None


class Onlooker:
    """Looks for everybody who looks on, every two seconds at most for each service."""

    def __init__(
        self,
        *,
        queries: QueryStore,
        queue: Queue,
        providers: ProviderStore,
        statistics: Statistics,
        roster: Roster,
        routes: Mapping[Channel, Sequence[str]],
        clock: Clock,
        patience_s: float,
    ) -> None:
        """A part that does not answer within `patience_s` is left out."""
        self._queries = queries
        self._queue = queue
        self._providers = providers
        self._statistics = statistics
        self._roster = roster
        self._routes = routes
        self._clock = clock
        self._patience_s = patience_s
        self._seen: dict[str | None, tuple[float, asyncio.Task[Sight]]] = {}

    async def look(self, service: str | None) -> Sight:
        """Return how it goes for a service; None: for all."""
        now_s = self._clock.monotonic_s()
        self._seen = {each: it for each, it in self._seen.items() if it[0] > now_s - _FRESH_S}
        if service not in self._seen:
            self._seen[service] = (now_s, asyncio.create_task(self._look(service)))
        return await asyncio.shield(self._seen[service][1])

    async def _look(self, service: str | None) -> Sight:
        now = self._clock.now()
        own, shared = await asyncio.gather(
            asyncio.gather(
                self._answer(self._tallies(service, Step.MINUTE, now - _HOUR, now)),
                self._answer(self._tallies(service, Step.HOUR, now - _DAY, now)),
                self._answer(self._statistics.behind_s()),
                self._answer(self._queries.account(service=service)),
            ),
            asyncio.gather(
                self._answer(self._queue.depths()),
                self._answer(self._standings()),
                self._answer(self._queries.waiting()),
                self._answer(self._roster.list(limit=_MOST_PROCESSES)),
            ),
        )
        minutes, hours, behind_s, account = own
        depths, providers, waiting, processes = shared
        return Sight(
            at=now,
            minutes=minutes,
            hours=hours,
            behind_s=behind_s,
            account=account,
            depths=depths,
            providers=providers,
            waiting=waiting,
            processes=processes,
        )

    async def _tallies(
        self, service: str | None, step: Step, since: datetime, now: datetime
    ) -> Sequence[Tally]:
        return await self._statistics.list(
            StatisticsFilter(
                step=step, since=since, before=now, service=service, apart=step is Step.MINUTE
            )
        )

    async def _standings(self) -> Sequence[Standing]:
        states, put_off = await asyncio.gather(self._providers.states(), self._providers.put_off())
        return list(standings(self._routes, states, put_off).values())

    async def _answer(self, asked: Awaitable[Found]) -> Found | None:
        try:
            async with asyncio.timeout(self._patience_s):
                return await asked
        except (NotifierError, TimeoutError):
            return None
