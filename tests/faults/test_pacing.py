"""A rate that all workers share: as fast as the provider allows, and never faster."""

import asyncio
import time
from contextlib import AsyncExitStack

from notifier.gate import Admission, BreakerSettings, Gate
from notifier.notification import Outcome, Sent, Transient
from tests.clock import SystemClock
from tests.contract.store.stores import open_stores
from tests.faults.workers import fresh_database
from tests.services.postgres import Postgres

WORKERS = 16
CALLS_AT_ONCE = 4
RATE_PER_S = 100
CALLS = 400
TOLERANCE_S = 0.1
"""What the stand-in forgives: on its way a call is late by a few milliseconds, now and then."""


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
        await gate.report(admission, provider.call())


async def test_sixteen_workers_keep_a_shared_rate_and_are_never_throttled(
    postgres: Postgres,
) -> None:
    provider = StrictProvider()
    async with fresh_database(postgres) as url, AsyncExitStack() as stack:
        gates = []
        for _ in range(WORKERS):
            stores = await stack.enter_async_context(open_stores(url))
            rates = {"smtp": RATE_PER_S}
            gates.append(Gate(stores.providers, SystemClock(), rates, BreakerSettings()))
        await asyncio.gather(
            *(call(gate, provider) for gate in gates for _ in range(CALLS_AT_ONCE))
        )

    assert provider.throttled == 0
    assert 99 <= provider.rate_per_s <= 101
