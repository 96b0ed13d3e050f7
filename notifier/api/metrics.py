"""What Prometheus scrapes: requests of this process, and how notifier as a whole stands."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.responses import Response

from notifier.api.backlog import of_backlog, of_waiting
from notifier.api.kit.calls import Call
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.operations import Operation, Reply
from notifier.api.processes import of_processes
from notifier.audience.erasure import Erasures, ErasuresUnderWay
from notifier.broadcasts.broadcast import BroadcastStore, State
from notifier.clock import Clock
from notifier.errors import NotifierError
from notifier.events.counts import Counted, Ending, EventCounts, Refusal, Taking
from notifier.events.digest import DigestStore, DigestsUnderWay
from notifier.events.event import Outcome
from notifier.hooks.counts import Calls, HookCounts
from notifier.notification.queueing import Queue, QueueDepth, QueueMembers
from notifier.notification.reading import Backlog, QueryStore, Waiting
from notifier.providers.account import ProviderState, ProviderStore, PutOff
from notifier.providers.standing import STATES, Standing, standings
from notifier.replays.replay import ReplayStore
from notifier.replays.replay import State as ReplayState
from notifier.roster import Process, Roster
from notifier.schedules.schedule import RunOutcome, ScheduleStore, Tally

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# What takes longer, as counting a large backlog does, is done as much more rarely.
_QUICK_S = 0.25
_MOST_PROCESSES = 10_000
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What counts what its subject does."""

    broadcasts: BroadcastStore
    replays: ReplayStore
    erasures: Erasures
    hook_counts: HookCounts
    schedules: ScheduleStore
    event_counts: EventCounts
    digests: DigestStore
    roster: Roster


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """What the subjects said; None where they did not answer."""

    broadcasts: Mapping[State, int] | None = None
    replays: Mapping[ReplayState, int] | None = None
    hooks: Mapping[Calls, int] | None = None
    schedules: Mapping[RunOutcome, Tally] | None = None
    events: Mapping[Counted, int] | None = None
    digests: DigestsUnderWay | None = None
    erasures: ErasuresUnderWay | None = None
    processes: Sequence[Process] | None = None
    waiting: Sequence[Waiting] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """What database and broker said; None where they did not answer."""

    backlog: Backlog | None = None
    depths: Sequence[QueueDepth] | None = None
    providers: Sequence[Standing] = field(default=())
    counts: _Counts = field(default=_Counts())
    knows_put_off: bool = False
    takes_writes: bool = False
    takes_messages: bool = False


class Metrics(Collector):
    """Counts requests, and reads the rest from database and broker every few seconds at most."""

    def __init__(
        self,
        *,
        queries: QueryStore,
        queue: Queue,
        providers: ProviderStore,
        subjects: Subjects,
        clock: Clock,
        are_policies_ok: Callable[[], bool | None],
        queue_members: Callable[[], Sequence[QueueMembers]],
        config: ApiConfig,
    ) -> None:
        self._queries = queries
        self._queue = queue
        self._providers = providers
        self._subjects = subjects
        self._clock = clock
        self._are_policies_ok = are_policies_ok
        self._queue_members = queue_members
        self._config = config
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "notifier_http_requests",
            "Requests answered by this process.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "notifier_http_request_duration_seconds",
            "Time until the end of the answer.",
            ["method", "route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._snapshot = _Snapshot()
        self._stale_at_s = float("-inf")
        self._reading = asyncio.Lock()
        self._registry.register(self)

    def observe(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one request; `route` is a declared path, never what the client asked for."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._durations.labels(known, route).observe(duration_s)

    def operation(self) -> Operation:
        """Declare the endpoint."""
        return Operation(
            id="metrics",
            method="GET",
            path="/metrics",
            summary="Metrics in the text format of Prometheus",
            tag="Operation",
            serve=self.show,
            replies={200: Reply(description="The metrics", media_types=("text/plain",))},
        )

    async def show(self, call: Call[None, None]) -> Response:
        """Show all metrics."""
        del call
        async with self._reading:
            began_s = self._clock.monotonic_s()
            if began_s >= self._stale_at_s:
                self._snapshot = await self._read()
                self._stale_at_s = self._fresh_until_s(began_s)
        return Response(
            generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    def collect(self) -> Iterable[Metric]:
        """Yield what the last snapshot holds; called by the registry."""
        seen = self._snapshot
        up = _gauge("notifier_up", "Whether it does what this process asks of it.", "part")
        up.add_metric(["database"], float(seen.takes_writes))
        up.add_metric(["broker"], float(seen.depths is not None and seen.takes_messages))
        yield up
        if seen.backlog is not None:
            yield from of_backlog(seen.backlog)
        policies_ok = self._are_policies_ok()
        if policies_ok is not None:
            yield GaugeMetricFamily(
                "notifier_topology_ok",
                "Whether the broker's policies are in effect.",
                value=float(policies_ok),
            )
        yield _of_depths(seen.depths or ())
        yield from _of_members(self._queue_members())
        yield from _of_accounts(seen.providers)
        yield from _of_subjects(seen.counts)
        if seen.counts.waiting is not None:
            yield of_waiting(seen.counts.waiting)
        if seen.counts.processes is not None:
            yield from of_processes(seen.counts.processes)
        if seen.knows_put_off:
            yield from _of_put_off(seen.providers)

    def _fresh_until_s(self, began_s: float) -> float:
        now_s = self._clock.monotonic_s()
        return now_s + self._config.metrics_cache_s * max(1, (now_s - began_s) / _QUICK_S)

    async def _read(self) -> _Snapshot:
        backlog, depths, states, put_off, counts, takes = await asyncio.gather(
            self._answer(self._queries.backlog()),
            self._answer(self._queue.depths()),
            self._answer(self._providers.states()),
            self._answer(self._providers.put_off()),
            self._read_counts(),
            asyncio.gather(
                self._succeeds(self._queries.prove()), self._succeeds(self._queue.prove())
            ),
        )
        providers = () if states is None else self._standings(states, put_off or ())
        return _Snapshot(
            backlog=backlog,
            depths=depths,
            providers=providers,
            counts=counts,
            knows_put_off=put_off is not None,
            takes_writes=takes[0],
            takes_messages=takes[1],
        )

    async def _read_counts(self) -> _Counts:
        them = self._subjects
        broadcasts, hooks, schedules, events, digests, erasures = await asyncio.gather(
            self._answer(them.broadcasts.under_way()),
            self._answer(them.hook_counts.all()),
            self._answer(them.schedules.tallies()),
            self._answer(them.event_counts.all()),
            self._answer(them.digests.under_way()),
            self._answer(them.erasures.under_way()),
        )
        return _Counts(
            broadcasts=broadcasts,
            replays=await self._answer(them.replays.under_way()),
            waiting=await self._answer(self._queries.waiting()),
            processes=await self._answer(them.roster.list(limit=_MOST_PROCESSES)),
            hooks=hooks,
            schedules=schedules,
            events=events,
            digests=digests,
            erasures=erasures,
        )

    def _standings(
        self, states: Sequence[ProviderState], put_off: Sequence[PutOff]
    ) -> Sequence[Standing]:
        return list(standings(self._config.routes, states, put_off).values())

    async def _answer(self, asked: Awaitable[Found]) -> Found | None:
        try:
            async with asyncio.timeout(self._config.probe_timeout_s):
                return await asked
        except (NotifierError, TimeoutError):
            return None

    async def _succeeds(self, asked: Awaitable[None]) -> bool:
        try:
            async with asyncio.timeout(self._config.probe_timeout_s):
                await asked
        except (NotifierError, TimeoutError):
            return False
        return True


def _gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, labels=labels)


def _of_subjects(seen: _Counts) -> Iterable[Metric]:
    if seen.broadcasts is not None:
        yield _under_way("notifier_broadcasts", "Broadcasts that have not ended.", seen.broadcasts)
    if seen.replays is not None:
        yield _under_way("notifier_replays", "Replays that have not ended.", seen.replays)
    if seen.erasures is not None:
        yield from _of_erasures(seen.erasures)
    if seen.hooks is not None:
        yield _of_hooks(seen.hooks)
    if seen.schedules is not None:
        yield from _of_schedules(seen.schedules)
    if seen.events is not None:
        yield from _of_events(seen.events)
    if seen.digests is not None:
        yield from _of_digests(seen.digests)


def _under_way(
    name: str, words: str, by_state: Mapping[State, int] | Mapping[ReplayState, int]
) -> Metric:
    under_way = _gauge(name, words, "state")
    for state, count in by_state.items():
        under_way.add_metric([state], count)
    return under_way


def _of_erasures(erasures: ErasuresUnderWay) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "notifier_erasures", "Erasures that are not done.", value=erasures.count
    )
    yield GaugeMetricFamily(
        "notifier_erasures_oldest_seconds",
        "Since when the oldest of them was asked for.",
        value=erasures.oldest_s,
    )


def _of_hooks(counts: Mapping[Calls, int]) -> Metric:
    calls = CounterMetricFamily(
        "notifier_hook_calls", "Calls of hooks.", labels=["hook", "moment", "result"]
    )
    for each, count in counts.items():
        calls.add_metric([each.hook, each.moment, each.result], count)
    return calls


def _of_schedules(tallies: Mapping[RunOutcome, Tally]) -> Iterable[Metric]:
    runs = CounterMetricFamily(
        "notifier_schedule_runs", "Slots of schedules that came.", labels=["outcome"]
    )
    late_s = CounterMetricFamily(
        "notifier_schedule_late_seconds",
        "How late they were when somebody looked, together.",
        labels=["outcome"],
    )
    for outcome, tally in tallies.items():
        runs.add_metric([outcome], tally.runs)
        late_s.add_metric([outcome], tally.late_s)
    return (runs, late_s)


def _of_events(counts: Mapping[Counted, int]) -> Iterable[Metric]:
    for name, words, label, kind in (
        ("notifier_events", "Events that were taken.", "outcome", Taking),
        ("notifier_events_refused", "Events that were not.", "reason", Refusal),
        ("notifier_rule_matches", "What rules made of events.", "outcome", Outcome),
        ("notifier_digests_ended", "Digests that ended.", "outcome", Ending),
    ):
        family = CounterMetricFamily(name, words, labels=[label])
        for each in kind:
            family.add_metric([each.value], counts.get(Counted.of(each), 0))
        yield family


def _of_digests(digests: DigestsUnderWay) -> Iterable[Metric]:
    states = _gauge("notifier_digests", "Digests that gather, wait or failed.", "state")
    states.add_metric(["open"], digests.open)
    states.add_metric(["closed"], digests.closed)
    states.add_metric(["failed"], digests.failed)
    yield states
    yield GaugeMetricFamily(
        "notifier_digests_overdue_seconds",
        "Since when the oldest digest that is due was to be sent.",
        value=digests.overdue_s,
    )


def _of_depths(depths: Sequence[QueueDepth]) -> Metric:
    ready = _gauge("notifier_queue_messages_ready", "Messages ready in a queue.", "queue")
    for depth in depths:
        ready.add_metric([depth.name], depth.ready)
    return ready


def _of_members(queues: Sequence[QueueMembers]) -> Iterable[Metric]:
    members = _gauge("notifier_queue_members", "Nodes that hold a queue.", "queue")
    online = _gauge("notifier_queue_members_online", "Those of them that run.", "queue")
    leaders = _gauge("notifier_queue_leaders", "Queues that a node leads.", "node")
    for queue in queues:
        members.add_metric([queue.name], len(queue.members))
        online.add_metric([queue.name], len(queue.online))
    for node in {node for queue in queues for node in queue.members}:
        leaders.add_metric([node], sum(queue.leader == node for queue in queues))
    yield from (members, online, leaders)


def _of_accounts(providers: Sequence[Standing]) -> Iterable[Metric]:
    state = _gauge("notifier_provider_state", "1 for the state it is in.", "provider", "state")
    trips = _gauge("notifier_provider_trips", "Trips without a success between.", "provider")
    for each in providers:
        for word in STATES:
            state.add_metric([each.state.name, word], float(each.state.word == word))
        trips.add_metric([each.state.name], each.state.trips)
    yield from (state, trips)


def _of_put_off(providers: Sequence[Standing]) -> Iterable[Metric]:
    count = _gauge("notifier_put_off", "Notifications that wait for a systemic reason.", "provider")
    oldest = _gauge("notifier_put_off_oldest_seconds", "Age of the oldest of them.", "provider")
    for each in providers:
        count.add_metric([each.state.name], each.put_off.count)
        oldest.add_metric([each.state.name], each.put_off.oldest_s)
    yield from (count, oldest)
