"""A worker's parts over a real store and a real queue, either of which can go away."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast
from uuid import UUID, uuid4

from notifier.audience.category import Categories
from notifier.audience.person import Directory
from notifier.audience.resolving import Audience
from notifier.clock import Clock
from notifier.content.library import Library, TemplateStore
from notifier.delivery.addressing import Addresser
from notifier.delivery.attaching import Loader, Portion
from notifier.delivery.attempt import Lease
from notifier.delivery.composing import Composer
from notifier.delivery.deliverer import Deliverer
from notifier.delivery.duties import DeliveryDuties, RelayPace
from notifier.delivery.ports import ChannelAdapter, DeadLetters, Leases, RescuePolicy, Upkeep
from notifier.delivery.preparing import Preparer
from notifier.delivery.retry import RetryPolicy
from notifier.intake.ports import Publications, Submission
from notifier.intake.publishing import Publisher
from notifier.intake.windows import WINDOWS, Window
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane, Message, Notification
from notifier.notification.outcomes import Outcome, Sent
from notifier.notification.queueing import Queue
from notifier.notification.sms import SmsRules
from notifier.providers.account import ProviderStore
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Gate
from notifier.queue.memory import MemoryQueue
from notifier.rendering.renderer import VersionRenderer
from tests.clock import SystemClock
from tests.contract.store.stores import Stores, a_submission, envelope_of, open_stores
from tests.patience import AT_ALL_S

LIMIT_S = AT_ALL_S
LEASE = Lease(
    held_by="worker-1",
    probe_s=0.02,
    finish_patience_s=LIMIT_S,
)

Step: TypeAlias = Outcome | Exception | Callable[[Message], Awaitable[Outcome]]


async def within(awaited: Awaitable[Any]) -> Any:
    """Wait for what must happen, but not for ever."""
    async with asyncio.timeout(LIMIT_S):
        return await awaited


class Switch:
    """A port whose calls go to the real thing, unless they are told to fail or to wait."""

    def __init__(self, real: object) -> None:
        self._real = real
        self.is_away: Exception | None = None
        self.failures: dict[str, deque[Exception]] = defaultdict(deque)
        self.holds: dict[str, Hold] = {}
        self.calls: asyncio.Queue[str] = asyncio.Queue()
        self.counts: Counter[str] = Counter()
        self.under_way: set[asyncio.Future[object]] = set()

    async def leave(self, error: Exception) -> None:
        """Go away once the calls under way have ended."""
        self.is_away = error
        for hold in self.holds.values():
            hold.released.set()
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=LIMIT_S)

    def hold(self, name: str) -> "Hold":
        """Hold the answers to calls of `name` until they are let go."""
        return self.holds.setdefault(name, Hold())

    async def called(self, *names: str) -> None:
        """Return once each of `names` was called (again), in any order."""
        missing = set(names)
        async with asyncio.timeout(LIMIT_S):
            while missing:
                missing.discard(await self.calls.get())

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._real, name)

        async def call(*args: object, **options: object) -> object:
            self.calls.put_nowait(name)
            self.counts[name] += 1
            if self.is_away is not None:
                raise self.is_away
            if self.failures[name]:
                raise self.failures[name].popleft()
            real: asyncio.Future[object] = asyncio.ensure_future(method(*args, **options))
            self.under_way.add(real)
            real.add_done_callback(self.under_way.discard)
            answer = await real
            if name in self.holds:
                await self.holds[name].passed()
            return answer

        return call


@dataclass(frozen=True, slots=True)
class Hold:
    """Where a call was carried out and its answer is not there yet."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def passed(self) -> None:
        self.reached.set()
        await self.released.wait()


class ScriptedAdapter:
    """Does with each message what its script says next; at its end, everything is sent."""

    def __init__(self, provider: str = "scripted") -> None:
        self.provider = provider
        self.script: deque[Step] = deque()
        self.messages: list[Message] = []
        self.hold: Hold | None = None

    async def send(self, message: Message) -> Outcome:
        self.messages.append(message)
        if self.hold is not None:
            await self.hold.passed()
        step = self.script.popleft() if self.script else Sent("id-1")
        if isinstance(step, Exception):
            raise step
        return await step(message) if callable(step) else step

    async def close(self) -> None:
        return


@dataclass(slots=True, kw_only=True)
class Bench:
    """Everything a worker has around it."""

    stores: Stores
    memory: MemoryQueue
    store: Switch
    providers: Switch
    templates: Switch
    directory: Switch
    queue: Switch
    publisher: Publisher
    adapter: ScriptedAdapter = field(default_factory=ScriptedAdapter)
    others: list[ScriptedAdapter] = field(default_factory=list)
    """Providers to fail over to, in their order."""
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    breakers: BreakerSettings = field(default_factory=BreakerSettings)
    rates_per_s: dict[str, float] = field(default_factory=dict)
    lease: Lease = LEASE
    memory_for_files: Portion = field(default_factory=lambda: Portion(64_000_000))
    clock: Clock = field(default_factory=SystemClock)

    def gate(self) -> Gate:
        store = cast(ProviderStore, self.providers)
        return Gate(store, self.clock, self.rates_per_s, self.breakers)

    def deliverer(self) -> Deliverer:
        route: list[ChannelAdapter] = [self.adapter, *self.others]
        return Deliverer(
            leases=cast(Leases, self.store),
            publisher=self.publisher,
            preparer=Preparer(
                Addresser(
                    Audience(
                        cast(Directory, self.directory),
                        Categories(self.stores.categories, self.clock),
                    ),
                    cast(Leases, self.store),
                    self.stores.caps,
                    self.clock,
                ),
                Composer(
                    Library(cast(TemplateStore, self.templates), self.clock),
                    VersionRenderer(self.clock),
                    SmsRules(),
                ),
                Loader(self.stores.attachments, self.stores.contents, self.memory_for_files),
                self.stores.fates,
            ),
            routes=dict.fromkeys(Channel, route),
            gate=self.gate(),
            policies=dict.fromkeys(Channel, self.policy),
            lease=self.lease,
            clock=self.clock,
            random=lambda: 0.5,
            new_token=uuid4,
        )

    def duties(
        self,
        pace: RelayPace | None = None,
        windows: Mapping[Lane, Window] = WINDOWS,
    ) -> DeliveryDuties:
        rescue = RescuePolicy(
            max_attempts=self.policy.max_attempts, on_unknown=self.policy.on_unknown
        )
        return DeliveryDuties(
            upkeep=cast(Upkeep, self.store),
            dead_letters=cast(DeadLetters, self.store),
            queue=cast(Queue, self.queue),
            publisher=self.publisher,
            rescue=dict.fromkeys(Channel, rescue),
            pace=pace or RelayPace(),
            windows=windows,
        )

    async def accept(self, submission: Submission | None = None) -> Envelope:
        """Store a notification; returns what its API would publish."""
        return envelope_of(await self.stores.accept(submission or a_submission()))

    async def attempt(self, envelope: Envelope) -> Notification:
        """Make one attempt; returns where the notification stands then."""
        assert await within(self.deliverer().deliver(envelope)) is Settlement.ACK
        return await self.stores.get(envelope.id)

    async def cut_off_at(self, hold: Hold) -> Notification:
        """Begin an attempt and cancel it where it is held; returns where it stands then."""
        envelope = await self.accept()
        delivery = asyncio.create_task(self.deliverer().deliver(envelope))
        await within(hold.reached.wait())
        delivery.cancel()
        await asyncio.wait({delivery}, timeout=LIMIT_S)
        assert delivery.cancelled()
        return await self.stores.get(envelope.id)

    async def way(self, id: UUID) -> list[tuple[str, str | None]]:
        """What happened to a notification, and at which provider."""
        timeline = await self.stores.queries.timeline(id)
        return [(each.event, each.provider) for each in timeline]


@asynccontextmanager
async def open_bench(url: str) -> AsyncIterator[Bench]:
    async with open_stores(url) as stores:
        memory = MemoryQueue()
        store, queue = Switch(stores.life), Switch(memory)
        publisher = Publisher(cast(Publications, store), cast(Queue, queue))
        yield Bench(
            stores=stores,
            memory=memory,
            store=store,
            providers=Switch(stores.providers),
            templates=Switch(stores.templates),
            directory=Switch(stores.directory),
            queue=queue,
            publisher=publisher,
        )
