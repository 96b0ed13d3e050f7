"""Whatever happens: the account stays balanced, attempts only grow, leases end with them."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from notifier.delivery.ports import Claimed, RescuePolicy
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, OnUnknown, Status
from notifier.notification.transitions import (
    CANCEL,
    EXPIRE,
    FAIL,
    REPLAY,
    RETRY,
    SNOOZE,
    SUCCEED,
    Transition,
)
from notifier.store.notification.tables import notifications as n
from tests.contract.store.stores import Stores, a_submission, an_end, envelope_of, open_stores

POLICIES = {Channel.EMAIL: RescuePolicy(max_attempts=2, on_unknown=OnUnknown.RESEND)}
ENDS = (SUCCEED, FAIL, RETRY, SNOOZE, EXPIRE)
_LEFT_LEASED = select(func.count()).where(
    n.c.lease_token.is_not(None), n.c.status != Status.PROCESSING
)


class World:
    """A few notifications, and what workers, relays and operators may do to them."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.accepted = 0
        self.envelopes: list[Envelope] = []
        self.leases: list[Claimed] = []
        self.attempts: dict[UUID, int] = {}

    async def accept(self, pick: int) -> None:
        submission = await self.stores.accept(a_submission(sensitive=pick % 3 == 0))
        self.envelopes.append(envelope_of(submission))
        self.accepted += 1

    async def claim(self, pick: int) -> None:
        if not self.envelopes:
            return
        envelope = self.envelopes[pick % len(self.envelopes)]
        if claimed := await self.stores.claim(envelope):
            assert claimed.attempt > self.attempts.get(claimed.id, 0)
            self.attempts[claimed.id] = claimed.attempt
            self.leases.append(claimed)

    async def finish(self, pick: int) -> None:
        if self.leases:
            lease = self.leases[pick % len(self.leases)]
            await self.stores.leases.finish(an_end(lease, ENDS[pick % len(ENDS)]))

    async def relay(self, pick: int) -> None:
        await self.stores.pass_time(40 + pick)
        await self.stores.upkeep.rescue(2, POLICIES)
        self.envelopes += await self.stores.upkeep.take_due(2, hold_s=1)
        letters = await self.stores.dead_letters.take_unburied(2, hold_s=1)
        await self.stores.publications.mark_buried(letters)
        self.envelopes += letters

    async def cancel(self, pick: int) -> None:
        await self._move(CANCEL, pick)

    async def replay(self, pick: int) -> None:
        await self._move(REPLAY, pick)

    async def _move(self, transition: Transition, pick: int) -> None:
        if self.envelopes:
            chosen = self.envelopes[pick % len(self.envelopes)].id
            await self.stores.orders.move(transition, chosen, service=None)


STEPS: list[Callable[[World, int], Awaitable[None]]] = [
    World.accept, World.claim, World.claim, World.finish, World.finish, World.relay,
    World.cancel, World.replay,
]  # fmt: skip
HISTORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 30)), max_size=25)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=HISTORIES)
def test_the_account_is_balanced_after_any_history(
    store_url: str, history: list[tuple[Callable[[World, int], Awaitable[None]], int]]
) -> None:
    async def live() -> None:
        async with open_stores(store_url) as stores:
            before = await stores.queries.account(service=None)
            world = World(stores)
            for step, pick in history:
                await step(world, pick)
            account = await stores.queries.account(service=None)
            assert account.is_balanced
            assert account.accepted == before.accepted + world.accepted
            assert await stores.database.read(lambda each: each.scalar(_LEFT_LEASED)) == 0

    asyncio.run(live())
