"""The gate over the real store: breakers, pauses and failover, as several workers share them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from notifier.gate import Admission, Barred, BreakerSettings, Gate, GateClosedError
from notifier.notification import (
    Fault,
    Lane,
    OnUnknown,
    Outcome,
    Permanent,
    Sent,
    Settlement,
    Status,
    Systemic,
    Transient,
    Unknown,
)
from notifier.retry import RetryPolicy
from tests.contract.store.stores import Stores, a_submission
from tests.contract.worker.bench import Bench, ScriptedAdapter, within
from tests.services.messages import ManualClock

REFUSED = Transient("connection_refused", "not sent")
WRONG_KEY = Systemic("401", "the key was refused")
QUICK = BreakerSettings(min_calls=4, systemic_in_a_row=3)


class Workers:
    """The gates of several worker processes, under one clock."""

    def __init__(self, stores: Stores, count: int = 2, **rates: float) -> None:
        self.stores = stores
        self.clock = ManualClock()
        self.gates = [Gate(stores.providers, self.clock, rates, QUICK) for _ in range(count)]

    async def call(self, gate: Gate, outcome: Outcome, provider: str = "smtp") -> None:
        admission = await gate.admit(provider, patience_s=1)
        assert isinstance(admission, Admission)
        await gate.report(admission, outcome)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.stores.pass_time(seconds)


async def admissions(gates: Sequence[Gate], provider: str = "smtp") -> list[Admission | Barred]:
    return [await gate.admit(provider, patience_s=0) for gate in gates]


async def test_a_provider_that_was_never_in_trouble_may_be_asked(bench: Bench) -> None:
    workers = Workers(bench.stores)

    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_systemic_failures_in_a_row_open_the_breaker_for_every_worker(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    for _ in range(3):
        await workers.call(first, WRONG_KEY)
    await workers.pass_time(1)

    for answer in await admissions(workers.gates):
        assert isinstance(answer, Barred)
        assert answer.reason == "401"
        assert 25 < answer.retry_after_s <= 30


async def test_a_success_in_between_keeps_the_breaker_closed(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    for outcome in (WRONG_KEY, WRONG_KEY, Sent(), WRONG_KEY, WRONG_KEY):
        await workers.call(first, outcome)

    assert await admissions([first]) == [Admission("smtp")]


@pytest.mark.parametrize("failure", [REFUSED, Unknown("timeout", "no answer")])
async def test_a_high_failure_rate_opens_the_breaker(bench: Bench, failure: Outcome) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    for outcome in (Sent(), Sent(), failure, failure):
        await workers.call(first, outcome)

    (answer,) = await admissions([first])
    assert isinstance(answer, Barred)


@pytest.mark.parametrize(
    "outcome",
    [
        Permanent("550", "no such user", suppress=True),
        Transient("450", "greylisted", concerns_recipient=True),
    ],
)
async def test_what_concerns_a_recipient_says_nothing_about_the_provider(
    bench: Bench, outcome: Outcome
) -> None:
    workers = Workers(bench.stores)
    for _ in range(20):
        await workers.call(workers.gates[0], outcome)

    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_failures_that_are_long_past_do_not_count(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    for _ in range(3):
        await workers.call(first, REFUSED)
    await workers.pass_time(QUICK.window_s + 1)
    await workers.call(first, REFUSED)

    assert await admissions([first]) == [Admission("smtp")]


async def open_breaker(workers: Workers) -> None:
    for _ in range(3):
        await workers.call(workers.gates[0], WRONG_KEY)


async def test_once_its_time_has_come_one_worker_alone_probes(bench: Bench) -> None:
    workers = Workers(bench.stores, count=5)
    await open_breaker(workers)
    await workers.pass_time(31)

    answers = await admissions(workers.gates)

    assert [each for each in answers if isinstance(each, Admission)] == [
        Admission("smtp", is_probe=True)
    ]


async def test_a_probe_that_succeeds_closes_the_breaker_for_every_worker(bench: Bench) -> None:
    workers = Workers(bench.stores)
    await open_breaker(workers)
    await workers.pass_time(31)

    await workers.call(workers.gates[1], Sent())
    await workers.pass_time(1)

    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_a_probe_that_fails_opens_it_for_twice_as_long(bench: Bench) -> None:
    workers = Workers(bench.stores)
    await open_breaker(workers)
    await workers.pass_time(31)

    await workers.call(workers.gates[1], REFUSED)
    await workers.pass_time(1)

    for answer in await admissions(workers.gates):
        assert isinstance(answer, Barred)
        assert 50 < answer.retry_after_s <= 60


async def test_a_probe_whose_worker_died_is_given_to_another(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, second = workers.gates
    await open_breaker(workers)
    await workers.pass_time(31)
    assert await admissions([first]) == [Admission("smtp", is_probe=True)]

    await workers.pass_time(QUICK.probe_lease_s + 1)

    assert await admissions([second]) == [Admission("smtp", is_probe=True)]


async def test_a_throttling_provider_is_left_alone_by_every_worker(bench: Bench) -> None:
    workers = Workers(bench.stores)
    await workers.call(workers.gates[0], Transient("429", "slow down", 7, throttled=True))
    await workers.pass_time(1)

    for answer in await admissions(workers.gates):
        assert isinstance(answer, Barred)
        assert 5 < answer.retry_after_s <= 7
    await workers.pass_time(7)
    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_an_operator_pauses_and_resumes_by_hand(bench: Bench) -> None:
    workers = Workers(bench.stores)
    await bench.stores.providers.pause("smtp", reason="maintenance")

    for answer in await admissions(workers.gates):
        assert isinstance(answer, Barred)
        assert answer.reason == "maintenance"
    await bench.stores.providers.resume("smtp")
    await workers.pass_time(1)
    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_a_paced_provider_gives_each_caller_a_turn_of_its_own(bench: Bench) -> None:
    workers = Workers(bench.stores, count=4, smtp=50)
    started_s = asyncio.get_running_loop().time()

    await asyncio.gather(*(workers.call(gate, Sent()) for gate in workers.gates for _ in range(5)))

    assert asyncio.get_running_loop().time() - started_s >= 19 / 50 - 0.005


async def test_a_turn_beyond_a_callers_patience_is_not_waited_for(bench: Bench) -> None:
    workers = Workers(bench.stores, count=1, smtp=0.1)
    (gate,) = workers.gates
    assert await gate.admit("smtp", patience_s=1) == Admission("smtp")

    assert isinstance(await gate.admit("smtp", patience_s=1), Barred)


async def test_a_closed_gate_turns_away_who_waits_and_who_comes(bench: Bench) -> None:
    await bench.stores.providers.pause("smtp", reason="maintenance")
    gate = bench.gate()
    waiting = asyncio.create_task(gate.admit_first(["smtp"], Lane.NORMAL))
    await asyncio.sleep(0)

    gate.close()

    for turned_away in (waiting, gate.admit_first(["smtp"], Lane.NORMAL)):
        with pytest.raises(GateClosedError):
            await within(turned_away)


async def test_what_waits_at_the_gate_is_neither_claimed_nor_spends_an_attempt(
    bench: Bench,
) -> None:
    await bench.stores.providers.pause("scripted", reason="maintenance")
    envelope = await bench.accept()
    deliverer = bench.deliverer()
    delivering = asyncio.create_task(deliverer.deliver(envelope))
    await asyncio.sleep(0)

    deliverer.close()

    assert await within(delivering) is Settlement.REQUEUE
    stored = await bench.stores.queries.get(envelope.id, service=None)
    assert stored is not None
    assert (stored.status, stored.attempts) == (Status.PENDING, 0)
    assert bench.adapter.messages == []


async def test_it_goes_on_as_soon_as_the_provider_is_resumed(bench: Bench) -> None:
    await bench.stores.providers.pause("scripted", reason="maintenance")
    bench.breakers = BreakerSettings(fresh_s=0.02)
    envelope = await bench.accept()
    delivering = asyncio.create_task(bench.deliverer().deliver(envelope))

    await bench.stores.providers.resume("scripted")

    assert await within(delivering) is Settlement.ACK
    assert len(bench.adapter.messages) == 1


async def test_a_provider_kept_from_for_too_long_snoozes_at_no_cost(bench: Bench) -> None:
    await bench.stores.providers.pause("scripted", reason="maintenance")
    bench.breakers = BreakerSettings(hold_s=0)
    envelope = await bench.accept()

    await within(bench.deliverer().deliver(envelope))

    stored = await bench.stores.queries.get(envelope.id, service=None)
    assert stored is not None
    assert (stored.status, stored.attempts) == (Status.PENDING, 0)
    assert stored.fault == Fault(kind="transient", code="barred", message="maintenance")


@pytest.mark.parametrize("failure", [REFUSED, WRONG_KEY, Transient("429", "", 5, throttled=True)])
async def test_the_next_provider_is_asked_where_the_first_did_not_take_it(
    bench: Bench, failure: Outcome
) -> None:
    bench.adapter.script.append(failure)
    bench.others = [ScriptedAdapter("second")]
    envelope = await bench.accept()

    await within(bench.deliverer().deliver(envelope))

    stored = await bench.stores.queries.get(envelope.id, service=None)
    assert stored is not None
    assert (stored.status, stored.provider, stored.attempts) == (Status.SENT, "second", 1)
    timeline = await bench.stores.queries.timeline(envelope.id)
    assert [(each.event, each.provider) for each in timeline[-2:]] == [
        ("failover", "scripted"),
        ("succeed", "second"),
    ]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Unknown("timeout", "no answer"), Status.PENDING),
        (Permanent("550", "no such user"), Status.FAILED),
        (Sent("id"), Status.SENT),
    ],
)
async def test_no_other_provider_is_asked_where_the_first_may_have_taken_or_judged_it(
    bench: Bench, outcome: Outcome, status: Status
) -> None:
    bench.adapter.script.append(outcome)
    bench.others = [ScriptedAdapter("second")]
    envelope = await bench.accept()

    await within(bench.deliverer().deliver(envelope))

    stored = await bench.stores.queries.get(envelope.id, service=None)
    assert stored is not None
    assert stored.status is status
    assert bench.others[0].messages == []


async def test_a_provider_whose_breaker_is_open_is_passed_over(bench: Bench) -> None:
    await bench.stores.providers.open("scripted", reason="401", for_s=60)
    bench.others = [ScriptedAdapter("second")]
    envelope = await bench.accept()

    await within(bench.deliverer().deliver(envelope))

    assert bench.adapter.messages == []
    assert len(bench.others[0].messages) == 1


async def test_what_no_provider_took_is_tried_again_and_counts_once(bench: Bench) -> None:
    bench.adapter.script.append(REFUSED)
    bench.others = [ScriptedAdapter("second")]
    bench.others[0].script.append(REFUSED)
    envelope = await bench.accept()

    await within(bench.deliverer().deliver(envelope))

    stored = await bench.stores.queries.get(envelope.id, service=None)
    assert stored is not None
    assert (stored.status, stored.attempts, stored.provider) == (Status.PENDING, 1, "second")


async def test_a_notifications_own_wish_decides_about_an_unknown_outcome(bench: Bench) -> None:
    bench.policy = RetryPolicy(on_unknown=OnUnknown.RESEND)
    bench.adapter.script.append(Unknown("timeout", "no answer"))
    envelope = await bench.accept(replace(a_submission(), on_unknown=OnUnknown.HOLD))

    await within(bench.deliverer().deliver(envelope))

    stored = await bench.stores.queries.get(envelope.id, service=None)
    assert stored is not None
    assert (stored.status, stored.outcome_unknown) == (Status.FAILED, True)
