"""The gate over the real store: breakers, pauses and failover, as several workers share them."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast

import pytest
from structlog.typing import EventDict

from notifier.delivery.retry import RetryPolicy
from notifier.errors import StoreBusyError
from notifier.intake.ports import Submission
from notifier.mailbox import Mailbox
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.mail import MailDetails
from notifier.notification.model import Channel, Lane, Message, OnUnknown, Status
from notifier.notification.outcomes import (
    Fault,
    Outcome,
    Permanent,
    Sent,
    Systemic,
    Transient,
    Unknown,
)
from notifier.notification.transitions import REPLAY
from notifier.providers.account import ProviderState, ProviderStore
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Admission, Barred, Gate, GateClosedError
from notifier.worker.consumers import Consumers
from tests.contract.store.stores import Stores, a_submission
from tests.contract.worker.bench import LIMIT_S, Bench, ScriptedAdapter, within
from tests.servers.messages import ManualClock

REFUSED = Transient("connection_refused", "not sent")
WRONG_KEY = Systemic("401", "the key was refused")
NO_ANSWER = Unknown("timeout", "no answer")
NOT_NOW = Transient("451", "mailbox host is down", about_one=True)
NOT_ENABLED = Systemic("21408", "this country is not enabled", concerns_recipient=True)
QUICK = BreakerSettings(min_calls=4, systemic_in_a_row=3)

Happening: TypeAlias = Callable[[ProviderStore, str], Awaitable[None]]


class Workers:
    """The gates of several worker processes, under one clock."""

    def __init__(self, stores: Stores, count: int = 2, **rates: float) -> None:
        self.stores = stores
        self.clock = ManualClock()
        self.gates = [Gate(stores.providers, self.clock, rates, QUICK) for _ in range(count)]
        self._numbers = itertools.count(1)

    async def call(self, gate: Gate, outcome: Outcome, recipient: str | None = None) -> Admission:
        """Make a call about `recipient`, or about somebody new."""
        admission = await gate.admit("smtp", patience_s=1)
        assert isinstance(admission, Admission)
        somebody = recipient or f"user-{next(self._numbers)}@example.org"
        await gate.report(admission, outcome, recipient=somebody)
        return admission

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.stores.pass_time(seconds)


async def state_of(bench: Bench, provider: str = "smtp") -> ProviderState:
    (state,) = [each for each in await bench.stores.providers.states() if each.name == provider]
    return state


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
        assert 5 < answer.retry_after_s <= 30


async def test_a_success_in_between_keeps_the_breaker_closed(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    for outcome in (WRONG_KEY, WRONG_KEY, Sent(), WRONG_KEY, WRONG_KEY):
        await workers.call(first, outcome)

    assert await admissions([first]) == [Admission("smtp")]


@pytest.mark.parametrize("failure", [REFUSED, NO_ANSWER, NOT_NOW])
async def test_a_high_failure_rate_opens_the_breaker(bench: Bench, failure: Outcome) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    for outcome in (Sent(), Sent(), Sent(), failure, failure, failure):
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


@pytest.mark.parametrize("outcome", [NOT_ENABLED, NO_ANSWER, NOT_NOW])
async def test_one_recipient_never_opens_a_breaker(bench: Bench, outcome: Outcome) -> None:
    workers = Workers(bench.stores)
    for spelling in ("Ada@example.org", "ada@example.org") * 20:
        await workers.call(workers.gates[0], outcome, spelling)

    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_several_refused_recipients_let_one_call_a_second_through(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, second = workers.gates
    for _ in range(3):
        await workers.call(first, NOT_ENABLED)

    assert all(isinstance(each, Barred) for each in await admissions(workers.gates))
    await workers.pass_time(1)
    for gate in (first, second) * 10:
        assert (await workers.call(gate, NOT_ENABLED)).is_probe
        assert all(isinstance(each, Barred) for each in await admissions(workers.gates))
        await workers.pass_time(1)
    assert (await state_of(bench)).trips == 1


async def test_a_success_between_refused_recipients_is_evidence_that_it_works(
    bench: Bench,
) -> None:
    workers = Workers(bench.stores)
    for outcome in (NOT_ENABLED, NOT_ENABLED, Sent()) * 10:
        await workers.call(workers.gates[0], outcome)

    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_a_success_of_another_process_is_evidence_as_well(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, second = workers.gates
    for _ in range(3):
        await workers.call(first, NOT_ENABLED)
    await workers.pass_time(1)
    assert isinstance(await first.admit("smtp", patience_s=0), Admission)
    await bench.stores.providers.release("smtp", for_s=0)
    await workers.call(second, Sent())
    await workers.pass_time(1)

    await workers.call(first, NOT_ENABLED)

    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_a_probe_to_a_refused_recipient_is_no_evidence_and_the_next_may_follow_at_once(
    bench: Bench,
) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    refused = ["a@example.org", "b@example.org", "c@example.org"]
    for recipient in refused:
        await workers.call(first, NOT_ENABLED, recipient)
    await workers.pass_time(1)

    for recipient in refused * 3:
        assert (await workers.call(first, NOT_ENABLED, recipient)).is_probe
    await workers.call(first, Sent())

    assert await admissions([first]) == [Admission("smtp")]


@pytest.mark.parametrize("outcome", [NO_ANSWER, NOT_NOW])
async def test_one_recipient_keeps_no_breaker_open_for_ever_longer(
    bench: Bench, outcome: Outcome
) -> None:
    workers = Workers(bench.stores)
    await open_breaker(workers)
    await workers.pass_time(31)
    await workers.call(workers.gates[0], outcome, "ops@example.org")
    await workers.pass_time(61)

    for _ in range(5):
        await workers.call(workers.gates[0], outcome, "ops@example.org")
        await workers.pass_time(1)

    assert await admissions(workers.gates[:1]) == [Admission("smtp", is_probe=True)]


async def test_a_wrong_password_still_waits_longer_each_time(bench: Bench) -> None:
    workers = Workers(bench.stores)
    await open_breaker(workers)
    await workers.pass_time(31)

    await workers.call(workers.gates[0], NOT_ENABLED, "a@example.org")
    await workers.pass_time(1)
    await workers.call(workers.gates[0], WRONG_KEY, "b@example.org")

    (answer,) = await admissions(workers.gates[:1])
    assert isinstance(answer, Barred)
    assert 31 < answer.retry_after_s <= 60


async def test_codes_to_good_numbers_go_at_once_whoever_else_is_refused(bench: Bench) -> None:
    workers = Workers(bench.stores)
    bad = [f"+99900{number}" for number in range(6)]
    codes = 0
    for second in range(120):
        gate = workers.gates[second % 2]
        if second % 40 < len(bad):  # they come up again and again, one after another
            answer = await gate.admit("smtp", patience_s=0, lane=Lane.NORMAL)
            if isinstance(answer, Admission):
                await gate.report(answer, NOT_ENABLED, recipient=bad[second % 40])
        await workers.pass_time(1)
        if second % 10 == 0:
            await workers.call(gate, Sent(), "+491701234567")
            codes += 1

    assert codes == 12


class Picky(ScriptedAdapter):
    """Serves everybody but those whose address begins with `bad`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, message: Message) -> Outcome:
        self.asked.put_nowait(message)
        return NOT_ENABLED if message.recipient.startswith("bad") else Sent("id-1")


async def test_a_code_overtakes_those_who_are_refused_again_and_again(bench: Bench) -> None:
    bench.adapter = adapter = Picky()
    bench.breakers = BreakerSettings(doubt_s=0.05, fresh_s=0.05)
    refused = [
        await bench.accept(a_submission(recipient=f"bad-{number}@example.org"))
        for number in range(60)
    ]
    await bench.publisher.publish(refused)
    consumers = Consumers(bench.memory, bench.deliverer(), {Channel.EMAIL: 4})
    await consumers.start()
    try:
        for _ in range(4):
            await within(adapter.asked.get())
        for _ in range(3):
            code = await bench.accept(replace(a_submission(), lane=Lane.HIGH))
            await bench.publisher.publish([code])
            overtaken = 0
            while (await within(adapter.asked.get())).id != code.id:
                overtaken += 1
            assert overtaken <= 10
    finally:
        await within(consumers.stop(LIMIT_S))


async def test_a_probe_goes_to_the_most_urgent_who_waits(bench: Bench) -> None:
    await bench.stores.providers.open("smtp", reason="21408", for_s=0)
    bench.providers.failures["probe"].append(StoreBusyError("busy"))
    gate = bench.gate()
    urgent = asyncio.create_task(gate.admit_first(["smtp"], Lane.HIGH))
    await bench.providers.called("probe")

    for lane in (Lane.NORMAL, Lane.BULK):
        assert isinstance(await gate.admit("smtp", patience_s=0, lane=lane), Barred)

    assert await within(urgent) == Admission("smtp", is_probe=True)


async def test_a_probe_that_was_not_used_is_given_to_the_next_at_once(bench: Bench) -> None:
    await bench.stores.providers.open("scripted", reason="401", for_s=0)
    finished = await bench.accept()
    claimed = await bench.stores.claim(finished)
    assert claimed is not None
    deliverer = bench.deliverer()

    await within(deliverer.deliver(finished))
    await within(deliverer.deliver(await bench.accept(replace(a_submission(), content="{{ no }}"))))

    assert bench.adapter.messages == []
    assert await bench.stores.providers.probe("scripted", lease_s=60)


async def test_a_probe_that_is_throttled_leaves_the_next_one_to_whoever_comes_then(
    bench: Bench,
) -> None:
    workers = Workers(bench.stores)
    await open_breaker(workers)
    await workers.pass_time(31)
    await workers.call(workers.gates[0], Transient("429", "slow down", 7, throttled=True))

    await workers.pass_time(8)

    assert await admissions(workers.gates[1:]) == [Admission("smtp", is_probe=True)]


async def test_an_opening_is_an_error_in_the_log_once_and_again_while_it_lasts(
    bench: Bench, logs: list[EventDict]
) -> None:
    workers = Workers(bench.stores, count=1)
    (gate,) = workers.gates
    for recipient in ("a@example.org", "b@example.org", "c@example.org"):
        await workers.call(gate, NOT_ENABLED, recipient)
    for _ in range(2):
        await workers.pass_time(QUICK.remind_s / 2)
        for _ in range(5):
            await admissions([gate])

    errors = [each for each in logs if each["log_level"] == "error"]
    assert [each["event"] for each in errors] == ["provider.opened", "provider.still_open"]
    assert {(each["provider"], each["reason"]) for each in errors} == {("smtp", "21408")}
    assert "example.org" not in repr(logs)


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
        assert 31 < answer.retry_after_s <= 60


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
    await workers.call(workers.gates[0], Transient("429", "slow down", 70, throttled=True))
    await workers.pass_time(1)

    for answer in await admissions(workers.gates):
        assert isinstance(answer, Barred)
        assert 30 < answer.retry_after_s <= 70
    await workers.pass_time(70)
    assert await admissions(workers.gates) == [Admission("smtp"), Admission("smtp")]


async def test_a_provider_that_throttles_what_it_mostly_takes_is_asked_more_slowly_by_who_asked(
    bench: Bench,
) -> None:
    workers = Workers(bench.stores)
    first, second = workers.gates
    for _ in range(20):
        await workers.call(first, Sent())
        await workers.pass_time(0.1)
    await workers.call(first, Transient("450", "too much mail", throttled=True))
    await workers.pass_time(0.5)

    assert await admissions([first, second]) == [
        Barred("smtp", "it takes no more at once", QUICK.fresh_s),
        Admission("smtp"),
    ]
    await workers.pass_time(1)
    assert await admissions([first, first]) == [
        Admission("smtp"),
        Barred("smtp", "it takes no more at once", QUICK.fresh_s),
    ]


async def test_a_provider_that_takes_nothing_and_throttles_is_left_alone_by_every_worker(
    bench: Bench,
) -> None:
    workers = Workers(bench.stores)
    await workers.call(workers.gates[0], Transient("450", "too much mail", throttled=True))
    await workers.pass_time(1)

    assert all(isinstance(answer, Barred) for answer in await admissions(workers.gates))


FULL_BOX = Transient("450 4.2.1", "too much mail", 300, throttled=True, about_one=True)


async def test_a_recipient_that_gets_too_much_slows_nobody_else_down(bench: Bench) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    await workers.call(first, Sent())
    for _ in range(10):
        await workers.call(first, FULL_BOX, "full@example.org")
    await workers.pass_time(1)

    assert await admissions([*workers.gates, first]) == [Admission("smtp")] * 3


async def test_recipients_that_get_too_much_now_and_then_slow_nobody_else_down(
    bench: Bench,
) -> None:
    workers = Workers(bench.stores)
    first, _ = workers.gates
    for _ in range(5):
        await workers.call(first, FULL_BOX)
        await workers.call(first, FULL_BOX)
        await workers.call(first, Sent())
    await workers.pass_time(1)

    assert await admissions([*workers.gates, first]) == [Admission("smtp")] * 3


async def test_a_provider_that_throttles_whoever_it_is_for_is_left_alone(bench: Bench) -> None:
    workers = Workers(bench.stores)
    for _ in range(3):
        await workers.call(workers.gates[0], FULL_BOX)
    await workers.pass_time(1)

    assert all(isinstance(answer, Barred) for answer in await admissions(workers.gates))


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


class Turns:
    """The real accounts; while somebody waits for a turn, something happens to the provider."""

    def __init__(self, real: ProviderStore, clock: ManualClock, happens: Happening) -> None:
        self._real = real
        self._clock = clock
        self._happens = happens

    async def reserve(self, name: str, **_: float) -> float:
        await self._happens(self._real, name)
        self._clock.advance(QUICK.fresh_s)
        return 0.001

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(
    "happens",
    [
        lambda store, name: store.pause(name, reason="maintenance"),
        lambda store, name: store.throttle(name, for_s=60),
        lambda store, name: store.open(name, reason="401", for_s=60),
    ],
    ids=["paused", "throttled", "opened"],
)
async def test_who_waited_for_a_turn_asks_none_that_is_barred_by_then(
    bench: Bench, happens: Happening
) -> None:
    clock = ManualClock()
    turns = cast(ProviderStore, Turns(bench.stores.providers, clock, happens))
    gate = Gate(turns, clock, {"smtp": 1}, QUICK)

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


async def test_a_closed_gate_gives_no_probe_away(bench: Bench) -> None:
    await bench.stores.providers.open("smtp", reason="401", for_s=0)
    gate = bench.gate()

    gate.close()

    with pytest.raises(GateClosedError):
        await gate.admit("smtp", patience_s=0)
    assert await bench.stores.providers.probe("smtp", lease_s=60)


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
    stored = await bench.stores.get(envelope.id)
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

    stored = await bench.attempt(envelope)

    assert (stored.status, stored.attempts) == (Status.PENDING, 0)
    assert stored.fault == Fault(kind="transient", code="paused", message="maintenance")


@pytest.mark.parametrize("failure", [REFUSED, WRONG_KEY, Transient("429", "", 5, throttled=True)])
async def test_the_next_provider_is_asked_where_the_first_did_not_take_it(
    bench: Bench, failure: Outcome
) -> None:
    bench.adapter.script.append(failure)
    bench.others = [ScriptedAdapter("second")]
    envelope = await bench.accept()

    stored = await bench.attempt(envelope)

    assert (stored.status, stored.provider, stored.attempts) == (Status.SENT, "second", 1)
    assert (await bench.way(envelope.id))[-2:] == [("failover", "scripted"), ("succeed", "second")]


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

    stored = await bench.attempt(envelope)

    assert stored.status is status
    assert bench.others[0].messages == []


async def test_a_provider_whose_breaker_is_open_is_passed_over(bench: Bench) -> None:
    await bench.stores.providers.open("scripted", reason="401", for_s=60)
    bench.others = [ScriptedAdapter("second")]
    envelope = await bench.accept()

    await within(bench.deliverer().deliver(envelope))

    assert bench.adapter.messages == []
    assert len(bench.others[0].messages) == 1


@pytest.mark.parametrize(("spent", "asked"), [(0.49, 1), (0.5, 0)])
async def test_the_next_provider_is_asked_while_half_of_the_time_is_left(
    bench: Bench, spent: float, asked: int
) -> None:
    bench.clock = clock = ManualClock()
    bench.others = [ScriptedAdapter("second")]

    async def refuse_slowly(_message: Message) -> Outcome:
        clock.advance(spent * bench.lease.send_timeout_s)
        return REFUSED

    bench.adapter.script.append(refuse_slowly)

    await bench.attempt(await bench.accept())

    assert len(bench.others[0].messages) == asked


async def test_what_no_provider_took_is_tried_again_and_counts_once(bench: Bench) -> None:
    bench.adapter.script.append(REFUSED)
    bench.others = [ScriptedAdapter("second")]
    bench.others[0].script.append(REFUSED)
    envelope = await bench.accept()

    stored = await bench.attempt(envelope)

    assert (stored.status, stored.attempts, stored.provider) == (Status.PENDING, 1, "second")


async def pass_time(bench: Bench, envelope: Envelope, seconds: float) -> Envelope:
    """Let this time pass; returns what is then published of the notification."""
    await bench.stores.pass_time(seconds)
    (due,) = await bench.stores.upkeep.take_due(10, hold_s=5)
    assert due.id == envelope.id
    return due


async def test_what_is_refused_for_a_systemic_reason_fails_after_a_day_and_can_be_replayed(
    bench: Bench, logs: list[EventDict]
) -> None:
    envelope = await bench.accept()
    bench.adapter.script.extend([NOT_ENABLED] * 6)
    for seconds in (100, 200, 40_000, 50_000):
        await within(bench.deliverer().deliver(envelope))
        envelope = await pass_time(bench, envelope, seconds)

    stored = await bench.attempt(envelope)

    assert (stored.status, stored.fault) == (
        Status.FAILED,
        Fault(kind="systemic", code="21408", message="this country is not enabled"),
    )
    assert bench.memory.ready("email_notifications.dead") == 1
    (given_up,) = [each for each in logs if each["event"] == "delivery.given_up"]
    assert (given_up["log_level"], given_up["reason"]) == ("error", "21408")
    assert await bench.stores.events(envelope.id) == [
        "accept", *["claim", "snooze"] * 4, "claim", "fail",
    ]  # fmt: skip

    await bench.stores.orders.move(REPLAY, envelope.id, service=None)
    (envelope,) = await bench.stores.upkeep.take_due(10, hold_s=5)
    await within(bench.deliverer().deliver(envelope))

    assert await bench.stores.status(envelope.id) is Status.PENDING


async def test_what_waits_for_an_open_breaker_fails_after_a_day(bench: Bench) -> None:
    bench.breakers = BreakerSettings(hold_s=0)
    await bench.stores.providers.open("scripted", reason="401", for_s=200_000)
    envelope = await bench.accept()
    for seconds in (100, 90_000):
        await within(bench.deliverer().deliver(envelope))
        envelope = await pass_time(bench, envelope, seconds)

    stored = await bench.attempt(envelope)

    assert (stored.status, stored.attempts) == (Status.FAILED, 1)
    assert stored.fault == Fault(kind="systemic", code="barred", message="401")
    assert bench.adapter.messages == []


async def test_what_is_throttled_fails_after_a_week(bench: Bench) -> None:
    bench.adapter.script.extend([Transient("429", "slow down", 1, throttled=True)] * 3)
    envelope = await bench.accept()
    for seconds in (600_000, 6_000):
        await within(bench.deliverer().deliver(envelope))
        envelope = await pass_time(bench, envelope, seconds)

    stored = await bench.attempt(envelope)

    assert stored.status is Status.FAILED
    assert stored.fault == Fault(kind="transient", code="429", message="slow down")


async def test_what_waits_while_an_operator_pauses_waits_on(bench: Bench) -> None:
    bench.breakers = BreakerSettings(hold_s=0)
    await bench.stores.providers.pause("scripted", reason="maintenance")
    envelope = await bench.accept()
    for seconds in (100, 90_000, 900_000):
        await within(bench.deliverer().deliver(envelope))
        envelope = await pass_time(bench, envelope, seconds)

    assert await bench.stores.status(envelope.id) is Status.PENDING


async def test_a_refusal_is_put_off_ever_longer_while_its_breaker_stays_closed(
    bench: Bench,
) -> None:
    bench.policy = RetryPolicy(jitter=0)
    bench.adapter.script.extend([NOT_ENABLED] * 4)
    envelope = await bench.accept()
    for seconds in (61, 121, 241):
        await within(bench.deliverer().deliver(envelope))
        envelope = await pass_time(bench, envelope, seconds)

    timeline = await bench.stores.queries.timeline(envelope.id)
    assert [each.delay_s for each in timeline if each.event == "snooze"] == [60, 120, 240]


async def test_a_database_that_cannot_tell_how_long_it_waited_loses_no_notification(
    bench: Bench,
) -> None:
    bench.adapter.script.append(WRONG_KEY)
    bench.store.failures["snoozes"].append(StoreBusyError("busy"))
    envelope = await bench.accept()

    assert await within(bench.deliverer().deliver(envelope)) is Settlement.ACK

    assert (await bench.stores.events(envelope.id))[-1] == "snooze"


async def test_a_notifications_own_wish_decides_about_an_unknown_outcome(bench: Bench) -> None:
    bench.policy = RetryPolicy(on_unknown=OnUnknown.RESEND)
    bench.adapter.script.append(Unknown("timeout", "no answer"))
    envelope = await bench.accept(replace(a_submission(), on_unknown=OnUnknown.HOLD))

    stored = await bench.attempt(envelope)

    assert (stored.status, stored.outcome_unknown) == (Status.FAILED, True)


def sent_as(name: str, number: int) -> Submission:
    details = MailDetails(sender=Mailbox("", f"{name}@shop.example"))
    return a_submission(recipient=f"user-{number}@example.org", mail=details)


UNVERIFIED = Systemic("554", "not verified", concerns_recipient=True, concerns_sender=True)


async def test_a_sender_that_is_refused_stops_no_other_s_mails(bench: Bench) -> None:
    deliverer = bench.deliverer()
    bench.adapter.script.extend([UNVERIFIED] * 5)
    for number in range(5):
        await deliverer.deliver(await bench.accept(sent_as("typo", number)))
    opened = [each for each in await bench.stores.providers.states() if each.opened_at]
    assert opened == []

    other = await bench.accept(sent_as("orders", 1))
    await deliverer.deliver(other)

    assert await bench.stores.status(other.id) is Status.SENT
    assert len(bench.adapter.messages) == 6


async def test_several_senders_that_are_refused_are_evidence_against_the_provider(
    bench: Bench,
) -> None:
    deliverer = bench.deliverer()
    bench.adapter.script.extend([UNVERIFIED] * 3)
    for number in range(3):
        await deliverer.deliver(await bench.accept(sent_as(f"typo-{number}", 1)))

    assert (await state_of(bench, "scripted")).opened_at is not None


async def test_the_next_provider_is_handed_the_same_mail(bench: Bench) -> None:
    bench.others.append(ScriptedAdapter("next"))
    bench.adapter.script.append(UNVERIFIED)

    await bench.deliverer().deliver(await bench.accept(sent_as("news", 1)))

    [first], [second] = bench.adapter.messages, bench.others[0].messages
    assert second == first
    assert second.mail == MailDetails(sender=Mailbox("", "news@shop.example"))
