"""A rate that all workers share: as fast as the provider allows, and never faster."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from notifier.breaker import BreakerSettings
from notifier.gate import Admission, Gate
from notifier.notification import Outcome, Sent, Transient
from tests.clock import SystemClock
from tests.contract.store.stores import Stores, open_stores
from tests.faults.workers import fresh_database
from tests.services.postgres import Postgres

WORKERS = 16
CALLS_AT_ONCE = 4
RATE_PER_S = 100
CALLS = 400
TOLERANCE_S = 0.15
"""What the stand-in forgives: on its way a call is late by a few milliseconds, now and then."""
TICK_S = 0.01
MOST_STALLED_S = 0.1
TRIES = 8


class StrictProvider:
    """Throttles whoever comes earlier than the rate allows."""

    def __init__(self) -> None:
        self.taken_at_s: list[float] = []
        self.throttled = 0
        self._next_s = 0.0

    def call(self) -> Outcome:
        now_s = time.monotonic()
        if now_s < self._next_s - TOLERANCE_S:
            self.throttled += 1
            return Transient("429", "too many requests", 1, throttled=True)
        self._next_s = max(self._next_s, now_s) + 1 / RATE_PER_S
        self.taken_at_s.append(now_s)
        return Sent()

    @property
    def rate_per_s(self) -> float:
        return (len(self.taken_at_s) - 1) / (self.taken_at_s[-1] - self.taken_at_s[0])


async def call(gate: Gate, provider: StrictProvider) -> None:
    while len(provider.taken_at_s) < CALLS and not provider.throttled:
        admission = await gate.admit("smtp", patience_s=10)
        assert isinstance(admission, Admission)
        await gate.report(admission, provider.call(), recipient="ada@example.org")


@dataclass(slots=True)
class Stalls:
    """How long this process or the database stood still at worst: a call is late by as much."""

    worst_s: float = 0

    async def watch(self, stores: Stores) -> None:
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(TICK_S)
            await stores.providers.states()
            self.worst_s = max(self.worst_s, time.monotonic() - begun_s - TICK_S)


async def run_at_full_speed(postgres: Postgres) -> tuple[StrictProvider, Stalls]:
    provider, stalls = StrictProvider(), Stalls()
    async with fresh_database(postgres) as url, AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_stores(url)) for _ in range(WORKERS)]
        await asyncio.gather(*(each.providers.throttle("smtp", for_s=0) for each in stores))
        gates = [
            Gate(each.providers, SystemClock(), {"smtp": RATE_PER_S}, BreakerSettings())
            for each in stores
        ]
        watching = asyncio.create_task(stalls.watch(stores[0]))
        await asyncio.gather(
            *(call(gate, provider) for gate in gates for _ in range(CALLS_AT_ONCE))
        )
        watching.cancel()
        await asyncio.wait({watching})
    return provider, stalls


async def test_sixteen_workers_keep_a_shared_rate_and_are_never_throttled(
    postgres: Postgres,
) -> None:
    provider, stalls = await run_at_full_speed(postgres)
    # A run in which the machine stood still says nothing about the pace, and is repeated.
    for _ in range(TRIES):
        if stalls.worst_s < MOST_STALLED_S:
            break
        provider, stalls = await run_at_full_speed(postgres)

    assert provider.throttled == 0
    assert 99 <= provider.rate_per_s <= 101
