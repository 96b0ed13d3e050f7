"""The database goes while workers claim and finish: nothing is lost, spins or is sent twice."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from notifier.delivery.ports import Leases
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Status
from notifier.notification.queueing import Handler, Queue, Subscription
from tests.faults.workers import (
    SLOTS,
    Journal,
    Site,
    SlowAdapter,
    open_site,
    relaying,
    until,
    working,
)
from tests.servers.postgres import Postgres

AWAY_S = 1.5
PROBES_S = 10 + 1
"""At most so many asks a second and slot: the tests' lease probes every 0.1 s."""


class CountingQueue:
    """The real queue; counts how often each message is delivered."""

    def __init__(self, real: Queue) -> None:
        self._real = real
        self.deliveries: Counter[UUID] = Counter()

    async def subscribe(
        self, channel: Channel, lane: Any, handler: Handler, *, consumers: int
    ) -> Subscription:
        async def counting(envelope: Envelope) -> Settlement:
            self.deliveries[envelope.id] += 1
            return await handler(envelope)

        return await self._real.subscribe(channel, lane, counting, consumers=consumers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class CountingLeases:
    """The real store; counts what workers ask of it."""

    def __init__(self, real: Leases) -> None:
        self._real = real
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._real, name)


async def test_without_a_database_messages_are_kept_and_results_recorded_afterwards(
    postgres: Postgres, amqp_url: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    adapter = SlowAdapter(journal)
    async with open_site(postgres, amqp_url) as site:
        queue = CountingQueue(site.queue)
        counted = Site(
            database_url=site.database_url,
            amqp_url=amqp_url,
            stores=site.stores,
            queue=cast(Queue, queue),
            logs=site.logs,
        )
        store = CountingLeases(site.stores.leases)
        to_finish = await site.send(SLOTS // 2)
        to_claim = await site.accept(SLOTS)
        sent = to_finish + to_claim
        async with (
            relaying(site),
            working(counted, {Channel.EMAIL: [adapter]}, leases=cast(Leases, store)),
        ):
            await adapter.has_taken(len(to_finish))
            await asyncio.to_thread(postgres.kill)
            before = store.calls.total()
            adapter.released.set()
            away_since_s = time.monotonic()
            assert await site.queue.publish(to_claim) == [None] * len(to_claim)

            async def is_any_delivered() -> bool:
                return len(queue.deliveries) > len(to_finish)

            await until(is_any_delivered)
            await asyncio.sleep(AWAY_S)  # the outage itself
            asked = store.calls.total() - before
            away_s = time.monotonic() - away_since_s
            while_away = queue.deliveries.copy()
            await asyncio.to_thread(postgres.start)
            states = await site.settled(len(sent))
            await site.drained()
        account = await site.stores.queries.account(service=None)

    assert states == {Status.SENT: len(sent)}
    assert journal.read() == Counter(envelope.id for envelope in sent)
    assert set(while_away.values()) == {1}
    assert max(queue.deliveries.values()) <= 2
    assert asked <= 2 * SLOTS * away_s * PROBES_S
    assert account.outcome_unknown == account.late_completions == 0
