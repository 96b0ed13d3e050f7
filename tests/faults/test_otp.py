"""A one-time password is never handed over after its time, whatever delayed it."""

import asyncio
import shutil
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from notifier.delivery.attempt import Lease
from notifier.delivery.deliverer import Deliverer
from notifier.delivery.ports import Claimed, Leases, RescuePolicy, Unclaimed
from notifier.delivery.retry import RetryPolicy
from notifier.intake.publishing import Publisher
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Message, Status
from notifier.notification.outcomes import Outcome, Sent, Systemic, Transient, Unknown
from notifier.providers.account import ProviderState, ProviderStore
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Gate
from notifier.queue.memory import MemoryQueue
from tests.clock import SystemClock
from tests.contract.store.stores import Stores, a_submission, open_stores
from tests.schema import sqlite_database
from tests.servers.messages import ManualClock

OTP_S = 60.0
ROUNDING_S = 0.05
"""Times are moved in milliseconds, and moving them takes a moment."""
LEASE = Lease(held_by="worker-1")
POLICY = RetryPolicy(schedule_s=(1, 5, 20), snooze_s=10, max_attempts=100)
BREAKERS = BreakerSettings(fresh_s=0, hold_s=40, open_min_s=15)
RESCUE = dict.fromkeys(Channel, RescuePolicy(max_attempts=100, on_unknown=POLICY.on_unknown))
PROVIDERS = ("first", "second")


class KilledError(BaseException):
    """The end of a worker: nothing of it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a provider call comes to (None: the death of its worker), and after how long."""

    outcome: Outcome | None
    takes_s: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One round of the relay and a worker: what delays it, and what the providers do."""

    wait_s: float = 0
    paused_s: float = 0
    claim_takes_s: float = 0
    calls: tuple[Call, ...] = ()


@dataclass(slots=True, kw_only=True)
class World:
    """A worker whose time passes as the schedule says, in the database and in the process."""

    stores: Stores
    clock: ManualClock = field(default_factory=ManualClock)
    turn: Turn = field(default_factory=Turn)
    calls: deque[Call] = field(default_factory=deque)
    paused_s: float = 0
    handed_over_s: list[float] = field(default_factory=list)

    async def pass_time(self, seconds: float) -> None:
        if seconds == 0:
            return
        self.clock.advance(seconds)
        await self.stores.pass_time(seconds)

    async def accept(self) -> UUID:
        expires_at = datetime.now(UTC) + timedelta(seconds=OTP_S)
        submission = replace(a_submission(sensitive=True), expires_at=expires_at)
        await self.stores.intake.insert([submission])
        await self.stores.upkeep.unpublish(1_000)
        return submission.id

    async def take(self, turn: Turn, deliverer: Deliverer) -> None:
        self.turn, self.paused_s = turn, turn.paused_s
        self.calls = deque(turn.calls)
        await self.pass_time(turn.wait_s)
        await self.stores.upkeep.rescue(100, RESCUE)
        for envelope in await self.stores.upkeep.take_due(100, hold_s=1):
            try:
                await deliverer.deliver(envelope)
            except KilledError:
                await self.stores.upkeep.end_leases(LEASE.held_by)

    def deliverer(self) -> Deliverer:
        leases = cast(Leases, SlowLeases(self))
        gates = cast(ProviderStore, SlowProviders(self))
        return Deliverer(
            leases=leases,
            publisher=Publisher(self.stores.publications, MemoryQueue()),
            preparer=self.stores.preparer(self.clock),
            routes={Channel.EMAIL: [Provider(name, self) for name in PROVIDERS]},
            gate=Gate(gates, self.clock, {}, BREAKERS),
            policies=dict.fromkeys(Channel, POLICY),
            lease=LEASE,
            clock=self.clock,
            random=lambda: 0.5,
            new_token=uuid4,
        )


class SlowLeases:
    """The real leases, whose claims are answered late."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def claim(self, envelope: Envelope, **options: Any) -> Claimed | Unclaimed | None:
        claimed = await self._world.stores.leases.claim(envelope, **options)
        await self._world.pass_time(self._world.turn.claim_takes_s)
        return claimed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.stores.leases, name)


class SlowProviders:
    """The real states of providers, or a pause; each look takes a while."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def states(self) -> Sequence[ProviderState]:
        states = await self._world.stores.providers.states()
        is_paused = self._world.paused_s > 0
        if is_paused or any(state.closed_for_s > 0 for state in states):
            self._world.paused_s -= 5
            await self._world.pass_time(5)
        return [paused(name) for name in PROVIDERS] if is_paused else states

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.stores.providers, name)


def paused(name: str) -> ProviderState:
    return ProviderState(
        name=name, is_paused=True, opened_at=None, closed_for_s=0, reason=None, trips=0
    )


class Provider:
    """Does what the turn says, and notes when it was handed something."""

    def __init__(self, name: str, world: World) -> None:
        self.provider = name
        self._world = world

    async def send(self, _message: Message) -> Outcome:
        self._world.handed_over_s.append(self._world.clock.elapsed_s)
        calls = self._world.calls
        call = calls.popleft() if calls else Call(outcome=Transient("450", "later"))
        await self._world.pass_time(call.takes_s)
        if call.outcome is None:
            raise KilledError
        return call.outcome

    async def close(self) -> None:
        return


OUTCOMES: list[Outcome | None] = [
    None,
    Sent(),
    Transient("refused", "not connected"),
    Transient("429", "slow down", 7, throttled=True),
    Transient("429", "slow down", throttled=True),
    Systemic("401", "wrong key"),
    Unknown("timeout", "no answer"),
]
DELAYS_S = st.sampled_from([0.0, 0.0, 1.0, 8.0, 25.0, 59.0, 70.0])
CALLS = st.builds(Call, outcome=st.sampled_from(OUTCOMES), takes_s=DELAYS_S)
TURNS = st.builds(
    Turn,
    wait_s=DELAYS_S,
    paused_s=DELAYS_S,
    claim_takes_s=DELAYS_S,
    calls=st.lists(CALLS, max_size=2).map(tuple),
)
REFUSED = Transient("refused", "not connected")
LATE_FAILOVER = [Turn(wait_s=45, calls=(Call(outcome=REFUSED, takes_s=19), Call(outcome=Sent())))]
LATE_CLAIM = [Turn(wait_s=45, claim_takes_s=19, calls=(Call(outcome=Sent()),))]
LATE_GATE = [Turn(wait_s=45, paused_s=25, calls=(Call(outcome=Sent()),))]
LATE_RETRY = [
    Turn(calls=(Call(outcome=Unknown("timeout", "no answer"), takes_s=25),)),
    Turn(wait_s=40, calls=(Call(outcome=Sent()),)),
]
LATE_RESCUE = [Turn(calls=(Call(outcome=None),)), Turn(wait_s=61, calls=(Call(outcome=Sent()),))]


@pytest.fixture(scope="module")
def otp_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sqlite_database(tmp_path_factory.mktemp("otp") / "notifier.db")


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schedule=st.lists(TURNS, max_size=6))
@example(LATE_FAILOVER)
@example(LATE_CLAIM)
@example(LATE_GATE)
@example(LATE_RETRY)
@example(LATE_RESCUE)
def test_whatever_delays_it_an_otp_is_not_handed_over_after_its_time(
    otp_url: str, schedule: list[Turn]
) -> None:
    async def live() -> None:
        async with open_stores(otp_url) as stores:
            for name in PROVIDERS:
                await stores.providers.resume(name)
            world = World(stores=stores)
            deadline_s = world.clock.elapsed_s + OTP_S
            otp = await world.accept()
            deliverer = world.deliverer()
            for turn in schedule:
                await world.take(turn, deliverer)
            await world.take(Turn(wait_s=OTP_S), deliverer)
            await stores.upkeep.expire(100)

            assert all(at_s < deadline_s + ROUNDING_S for at_s in world.handed_over_s)
            assert (await stores.status(otp)).is_final

    with capture_logs():
        asyncio.run(live())


async def test_a_call_is_cut_off_when_the_time_of_its_otp_is_over(
    otp_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "notifier.db"
    await asyncio.to_thread(partial(shutil.copy, otp_url.removeprefix("sqlite:///"), path))
    left_s = 8

    class Deaf(Provider):
        async def send(self, _message: Message) -> Outcome:
            try:
                await asyncio.Event().wait()
            finally:
                cut_off_s.append(asyncio.get_running_loop().time())
            return Sent()

    cut_off_s: list[float] = []
    with capture_logs():
        async with open_stores(f"sqlite:///{path}") as stores:
            world = World(stores=stores)
            deliverer = Deliverer(
                leases=stores.leases,
                publisher=Publisher(stores.publications, MemoryQueue()),
                preparer=stores.preparer(SystemClock()),
                routes={Channel.EMAIL: [Deaf("first", world)]},
                gate=Gate(stores.providers, SystemClock(), {}, BREAKERS),
                policies=dict.fromkeys(Channel, POLICY),
                lease=LEASE,
                clock=SystemClock(),
                random=lambda: 0.5,
                new_token=uuid4,
            )
            expires_at = datetime.now(UTC) + timedelta(seconds=left_s)
            started_s = asyncio.get_running_loop().time()
            await stores.intake.insert([submission := a_submission(expires_at=expires_at)])
            await deliverer.deliver(
                Envelope(id=submission.id, channel=Channel.EMAIL, lane=submission.lane, attempt=0)
            )
            found = await stores.get(submission.id)

    (at_s,) = cut_off_s
    # The claim's time counts as the call's, so that it ends before the OTP's does. Without it the
    # call would go on until its lease is nearly over.
    assert left_s / 2 < at_s - started_s < LEASE.send_timeout_s / 2
    assert (found.status, found.outcome_unknown) == (Status.EXPIRED, True)
