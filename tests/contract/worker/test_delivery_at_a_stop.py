"""An attempt that is under way when its worker stops: it ends at once, and is recorded."""

import asyncio
from dataclasses import replace

import pytest
from structlog.typing import EventDict

from notifier.delivery.retry import RetryPolicy
from notifier.errors import SchemaError, StoreUnavailableError
from notifier.notification.envelope import Settlement
from notifier.notification.model import Channel, Message, OnUnknown, Status
from notifier.notification.outcomes import Outcome, Sent, Systemic, Transient
from notifier.worker.consumers import Consumers
from tests.contract.worker.bench import LIMIT_S, Bench, Hold, ScriptedAdapter, Switch, within

REFUSED = Transient("connection_refused", "not sent")
AWAY = StoreUnavailableError("away")
POLICIES = [RetryPolicy(), RetryPolicy(on_unknown=OnUnknown.HOLD)]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("failure", "event", "attempts"),
    [(REFUSED, "retry", 1), (Systemic("401", "the key was refused"), "snooze", 0)],
)
async def test_a_failover_that_meets_a_stop_is_recorded_as_far_as_it_came(
    bench: Bench, policy: RetryPolicy, failure: Outcome, event: str, attempts: int
) -> None:
    bench.policy = policy
    bench.others = [ScriptedAdapter("second")]
    deliverer = bench.deliverer()

    async def fail_at_a_stop(_message: Message) -> Outcome:
        deliverer.close()
        return failure

    bench.adapter.script.append(fail_at_a_stop)
    envelope = await bench.accept()

    assert await within(deliverer.deliver(envelope)) is Settlement.ACK

    found = await bench.stores.get(envelope.id)
    timeline = await bench.way(envelope.id)
    assert (found.status, found.attempts) == (Status.PENDING, attempts)
    assert not found.outcome_unknown
    assert timeline[-1] == (event, "scripted")
    assert bench.others[0].messages == []


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_wait_for_a_second_providers_turn_ends_with_a_stop(
    bench: Bench, policy: RetryPolicy
) -> None:
    bench.policy = policy
    bench.others = [ScriptedAdapter("second")]
    bench.rates_per_s = {"second": 1.01}
    bench.adapter.script.append(REFUSED)
    await bench.stores.providers.reserve("second", rate_per_s=1.01, patience_s=1)
    turn = bench.providers.hold("reserve")
    deliverer = bench.deliverer()
    envelope = await bench.accept()
    delivery = asyncio.create_task(deliverer.deliver(envelope))
    await within(turn.reached.wait())

    deliverer.close()
    turn.released.set()

    assert await within(delivery) is Settlement.ACK
    found = await bench.stores.get(envelope.id)
    timeline = await bench.way(envelope.id)
    assert (found.status, timeline[-1]) == (Status.PENDING, ("retry", "scripted"))
    assert bench.others[0].messages == []


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_stop_that_cuts_off_the_gate_keeps_what_the_first_provider_said(
    bench: Bench, policy: RetryPolicy
) -> None:
    bench.policy = policy
    bench.others = [ScriptedAdapter("second")]
    bench.rates_per_s = {"second": 1_000}
    bench.adapter.script.append(REFUSED)
    turn = bench.providers.hold("reserve")

    found = await bench.cut_off_at(turn)

    assert (found.status, found.outcome_unknown) == (Status.PENDING, False)
    assert (await bench.way(found.id))[-1] == ("retry", "scripted")


async def test_a_result_in_hand_is_recorded_although_a_stop_cuts_off_the_report(
    bench: Bench,
) -> None:
    await bench.stores.providers.open("scripted", reason="401", for_s=0)
    closing = bench.providers.hold("close")

    found = await bench.cut_off_at(closing)

    assert (found.status, (await bench.way(found.id))[-1]) == (Status.SENT, ("succeed", "scripted"))


async def test_a_cut_off_call_names_the_provider_that_was_being_asked(bench: Bench) -> None:
    bench.adapter.script.append(REFUSED)
    bench.others = [ScriptedAdapter("second")]
    bench.others[0].hold = hold = Hold()

    found = await bench.cut_off_at(hold)

    assert found.outcome_unknown
    assert (await bench.way(found.id))[-2:] == [("failover", "scripted"), ("interrupt", "second")]


@pytest.mark.parametrize("error", [AWAY, SchemaError("old"), ValueError("a defect")])
async def test_a_report_that_fails_does_not_lose_what_was_sent(
    bench: Bench, error: Exception
) -> None:
    await bench.stores.providers.open("scripted", reason="401", for_s=0)
    bench.providers.failures["close"].append(error)
    envelope = await bench.accept()

    assert await within(bench.deliverer().deliver(envelope)) is Settlement.ACK

    assert await bench.stores.status(envelope.id) is Status.SENT


async def test_a_claim_that_waits_for_the_database_is_given_back_at_once(bench: Bench) -> None:
    bench.lease = replace(bench.lease, probe_s=LIMIT_S)
    bench.store.is_away = AWAY
    envelope = await bench.accept()
    deliverer = bench.deliverer()
    delivery = asyncio.create_task(deliverer.deliver(envelope))
    await bench.store.called("claim")

    deliverer.close()

    assert await within(delivery) is Settlement.REQUEUE


async def test_a_claim_that_was_carried_out_unanswered_is_found_though_its_worker_lets_go(
    bench: Bench,
) -> None:
    class Unheard:
        """Answers nothing to the first claim."""

        def __init__(self, real: Switch) -> None:
            self.real = real

        async def claim(self, *arguments: object, **options: object) -> object:
            found = await self.real.claim(*arguments, **options)
            if self.real.counts["claim"] > 1:
                return found
            deliverer.close()
            raise AWAY

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

    envelope = await bench.accept()
    bench.store = Switch(Unheard(bench.store))
    deliverer = bench.deliverer()

    assert await within(deliverer.deliver(envelope)) is Settlement.ACK
    assert await bench.stores.status(envelope.id) is Status.SENT


async def test_a_stop_does_not_spend_its_grace_on_those_who_wait_at_the_gate(
    bench: Bench,
) -> None:
    await bench.stores.providers.pause("scripted", reason="maintenance")
    envelope = await bench.accept()
    await bench.publisher.publish([envelope])
    consumers = Consumers(bench.memory, bench.deliverer(), {Channel.EMAIL: 1})
    await consumers.start()
    await bench.providers.called("states")

    await within(consumers.stop(grace_s=100 * LIMIT_S))

    found = await bench.stores.get(envelope.id)
    timeline = await bench.way(envelope.id)
    assert (found.status, found.attempts, len(timeline)) == (Status.PENDING, 0, 1)
    assert bench.memory.ready("email_notifications") == 1


async def test_what_was_handed_over_before_a_stop_is_sent(bench: Bench) -> None:
    bench.adapter.hold = hold = Hold()
    envelope = await bench.accept()
    deliverer = bench.deliverer()
    delivery = asyncio.create_task(deliverer.deliver(envelope))
    await within(hold.reached.wait())

    deliverer.close()
    bench.adapter.script.append(Sent("id-1"))
    hold.released.set()

    assert await within(delivery) is Settlement.ACK
    assert await bench.stores.status(envelope.id) is Status.SENT


async def test_a_database_that_never_answers_keeps_no_stop_beyond_its_patience(
    bench: Bench, logs: list[EventDict]
) -> None:
    bench.lease = replace(bench.lease, stop_patience_s=0.05)
    bench.adapter.hold = hold = Hold()
    bench.store.hold("finish")

    await bench.cut_off_at(hold)

    assert [each["event"] for each in logs] == ["finish.not_recorded"]
