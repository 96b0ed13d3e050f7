import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.typing import EventDict

from notifier.delivery.ports import RescuePolicy
from notifier.delivery.retry import RetryPolicy
from notifier.errors import StoreBusyError, StoreUnavailableError
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Message, Notification, OnUnknown, Status
from notifier.notification.outcomes import (
    Outcome,
    Permanent,
    Sent,
    SuppressionReason,
    Systemic,
    Transient,
    Unknown,
)
from notifier.notification.transitions import FAIL, SUCCEED
from tests.clock import SystemClock
from tests.contract.store.stores import a_submission, an_end, envelope_of
from tests.contract.worker.bench import LIMIT_S, Bench, Hold, ScriptedAdapter, within

AWAY = StoreUnavailableError("away")
HOLD = RetryPolicy(on_unknown=OnUnknown.HOLD)
ONCE = RetryPolicy(max_attempts=1)


async def record_of(bench: Bench, id: UUID) -> tuple[Notification, list[str]]:
    return await bench.stores.get(id), await bench.stores.events(id)


@pytest.mark.parametrize(
    ("outcome", "policy", "status", "event", "attempts"),
    [
        (Sent("id-7"), RetryPolicy(), Status.SENT, "succeed", 1),
        (Transient("421", "later"), RetryPolicy(), Status.PENDING, "retry", 1),
        (Transient("421", "later"), ONCE, Status.FAILED, "fail", 1),
        (Transient("429", "slow", 30, throttled=True), ONCE, Status.PENDING, "snooze", 0),
        (Permanent("550", "no such user"), RetryPolicy(), Status.FAILED, "fail", 1),
        (Systemic("535", "bad password"), ONCE, Status.PENDING, "snooze", 0),
        (Unknown("timeout", "no answer"), RetryPolicy(), Status.PENDING, "retry", 1),
        (Unknown("timeout", "no answer"), ONCE, Status.FAILED, "fail", 1),
        (Unknown("timeout", "no answer"), HOLD, Status.FAILED, "fail", 1),
    ],
)
async def test_every_outcome_ends_in_its_state_and_timeline(
    bench: Bench,
    outcome: Outcome,
    policy: RetryPolicy,
    status: Status,
    event: str,
    attempts: int,
) -> None:
    envelope = await bench.accept()
    bench.policy = policy
    bench.adapter.script.append(outcome)

    settlement = await bench.deliverer().deliver(envelope)

    found, events = await record_of(bench, envelope.id)
    assert settlement is Settlement.ACK
    assert (found.status, found.attempts, events[-1]) == (status, attempts, event)
    assert found.provider == "scripted"
    assert found.outcome_unknown == isinstance(outcome, Unknown)
    if isinstance(outcome, Sent):
        assert (found.provider_id, found.fault) == ("id-7", None)
    else:
        assert found.fault is not None
        assert found.fault.kind == type(outcome).__name__.lower()
        assert (found.fault.code, found.fault.message) == (outcome.code, outcome.message)


async def test_the_next_attempt_is_due_when_the_schedule_says(bench: Bench) -> None:
    envelope = await bench.accept()
    bench.policy = RetryPolicy(schedule_s=(1_000, 2_000))
    bench.adapter.script.append(Transient("421", "later"))

    await bench.deliverer().deliver(envelope)

    found, _ = await record_of(bench, envelope.id)
    assert abs((found.due_at - found.updated_at).total_seconds() - 1_000) < 1


async def test_what_would_come_up_after_its_time_expires_at_once(bench: Bench) -> None:
    expires_at = SystemClock().now() + timedelta(seconds=30)
    envelope = await bench.accept(a_submission(expires_at=expires_at))
    bench.policy = RetryPolicy(schedule_s=(60,))
    bench.adapter.script.append(Transient("421", "later"))

    await bench.deliverer().deliver(envelope)

    found, events = await record_of(bench, envelope.id)
    assert (found.status, events[-1]) == (Status.EXPIRED, "expire")


async def test_a_failure_leaves_one_dead_letter(bench: Bench) -> None:
    envelope = await bench.accept()
    bench.adapter.script.append(Permanent("550", "no such user"))

    await bench.deliverer().deliver(envelope)
    await bench.stores.pass_time(60)

    assert bench.memory.ready("email_notifications.dead") == 1
    assert await bench.stores.dead_letters.take_unburied(10, hold_s=10) == []


@pytest.mark.parametrize("reason", [SuppressionReason.REFUSED, SuppressionReason.UNSUBSCRIBED])
async def test_a_refusal_that_is_about_the_address_says_why_it_is_suppressed(
    bench: Bench, reason: SuppressionReason
) -> None:
    envelope = await bench.accept()
    bench.adapter.script.append(Permanent("550", "no", suppress=True, suppress_as=reason))

    await bench.deliverer().deliver(envelope)

    (entry,) = await bench.stores.suppressions.list(service=None, channel=None, limit=9, after=None)
    assert (entry.reason, entry.notification_id) == (reason, envelope.id)


async def test_the_provider_is_handed_the_filled_templates(bench: Bench) -> None:
    envelope = await bench.accept(replace(a_submission(), variables={"name": "<Ada>", "number": 7}))

    await bench.deliverer().deliver(envelope)

    [message] = bench.adapter.messages
    assert message.subject == "Order 7"
    assert message.text.startswith("Dear <Ada>,")
    assert message.html == "<b>&lt;Ada&gt;</b>"
    assert (message.id, message.attempt) == (envelope.id, 1)


async def test_a_template_that_cannot_be_filled_fails_and_reaches_no_provider(
    bench: Bench,
) -> None:
    envelope = await bench.accept(replace(a_submission(), variables={"number": 7}))

    await bench.deliverer().deliver(envelope)

    found, _ = await record_of(bench, envelope.id)
    assert found.status is Status.FAILED
    assert found.fault is not None
    assert found.fault.code == "template"
    assert bench.adapter.messages == []


async def test_of_doubled_envelopes_one_reaches_the_provider(bench: Bench) -> None:
    envelope = await bench.accept()
    deliverer = bench.deliverer()

    settlements = await asyncio.gather(*(deliverer.deliver(envelope) for _ in range(10)))

    assert set(settlements) == {Settlement.ACK}
    assert len(bench.adapter.messages) == 1


# --- an adapter's defects -------------------------------------------------------------------


@pytest.mark.parametrize("crash", [ValueError("canary"), OSError("canary"), TimeoutError("canary")])
async def test_an_adapter_that_raises_has_an_unknown_outcome(
    bench: Bench, crash: Exception
) -> None:
    envelope = await bench.accept()
    bench.adapter.script.append(crash)

    assert await bench.deliverer().deliver(envelope) is Settlement.ACK

    found, events = await record_of(bench, envelope.id)
    assert (found.status, events[-1], found.outcome_unknown) == (Status.PENDING, "retry", True)
    assert "canary" not in repr(found.fault)


async def test_a_cancellation_inside_a_library_spends_an_attempt(bench: Bench) -> None:
    async def lose_the_link(_message: Message) -> Outcome:
        raise asyncio.CancelledError

    envelope = await bench.accept()
    bench.adapter.script.append(lose_the_link)

    assert await bench.deliverer().deliver(envelope) is Settlement.ACK

    found, events = await record_of(bench, envelope.id)
    assert (events[-1], found.attempts, found.outcome_unknown) == ("retry", 1, True)


async def test_a_provider_that_does_not_answer_is_given_up_before_the_lease_ends(
    bench: Bench,
) -> None:
    envelope = await bench.accept()
    bench.lease = replace(bench.lease, send_timeout_s=3)
    bench.adapter.hold = Hold()

    await within(bench.deliverer().deliver(envelope))

    found, events = await record_of(bench, envelope.id)
    assert (events[-1], found.outcome_unknown) == ("retry", True)
    assert found.fault is not None
    assert found.fault.code == "timeout"


async def test_what_is_claimed_too_late_for_its_call_is_handed_to_nobody_and_snoozed(
    bench: Bench,
) -> None:
    bench.lease = replace(bench.lease, send_timeout_s=0)
    await bench.stores.providers.open("scripted", reason="401", for_s=0)
    envelope = await bench.accept()

    found = await bench.attempt(envelope)

    assert bench.adapter.messages == []
    assert found.fault is not None
    assert (found.status, found.attempts, found.fault.code) == (Status.PENDING, 0, "too_late")
    assert await bench.stores.providers.probe("scripted", lease_s=60)


async def test_words_that_cannot_be_stored_do_not_keep_a_success_from_being_recorded(
    bench: Bench,
) -> None:
    envelope = await bench.accept()
    bench.adapter.script.append(Sent("\x00"))

    await bench.deliverer().deliver(envelope)

    found, _ = await record_of(bench, envelope.id)
    assert (found.status, found.provider_id) == (Status.SENT, None)


async def test_words_that_cannot_be_stored_do_not_keep_a_failure_from_being_recorded(
    bench: Bench,
) -> None:
    envelope = await bench.accept()
    bench.adapter.script.append(Permanent("550", "no \x00 such \ud800 user"))

    await bench.deliverer().deliver(envelope)

    found, _ = await record_of(bench, envelope.id)
    assert found.status is Status.FAILED
    assert found.fault is not None
    assert found.fault.kind == "permanent"


async def test_words_of_a_missed_provider_do_not_keep_a_success_from_being_recorded(
    bench: Bench,
) -> None:
    bench.others = [ScriptedAdapter("second")]
    envelope = await bench.accept()
    bench.adapter.script.append(Transient("451", "later \x00 please \ud800"))

    await bench.deliverer().deliver(envelope)

    found, _ = await record_of(bench, envelope.id)
    assert found.status is Status.SENT
    assert (await bench.way(found.id))[-2:] == [("failover", "scripted"), ("succeed", "second")]


# --- a shutdown -----------------------------------------------------------------------------


async def interrupted_during(bench: Bench, envelope: Envelope, hold: Hold) -> None:
    delivery = asyncio.create_task(bench.deliverer().deliver(envelope))
    await within(hold.reached.wait())
    delivery.cancel()
    await asyncio.sleep(0)
    hold.released.set()
    await asyncio.wait({delivery}, timeout=LIMIT_S)
    assert delivery.cancelled()


@pytest.mark.parametrize(
    ("policy", "status", "event", "attempts"),
    [(RetryPolicy(), Status.PENDING, "interrupt", 0), (HOLD, Status.FAILED, "fail", 1)],
)
async def test_an_interrupted_call_is_recorded(
    bench: Bench, policy: RetryPolicy, status: Status, event: str, attempts: int
) -> None:
    envelope = await bench.accept()
    bench.policy = policy
    bench.adapter.hold = Hold()

    await interrupted_during(bench, envelope, bench.adapter.hold)

    found, events = await record_of(bench, envelope.id)
    assert (found.status, found.attempts, events[-1]) == (status, attempts, event)
    assert found.outcome_unknown
    assert found.fault is not None
    assert found.fault.code == "interrupted"


@pytest.mark.parametrize("policy", [RetryPolicy(), HOLD])
async def test_a_claim_that_a_shutdown_cut_off_is_given_back_untouched(
    bench: Bench, policy: RetryPolicy
) -> None:
    envelope = await bench.accept()
    bench.policy = policy

    await interrupted_during(bench, envelope, bench.store.hold("claim"))

    found, events = await record_of(bench, envelope.id)
    assert (found.status, found.attempts, events[-1]) == (Status.PENDING, 0, "interrupt")
    assert not found.outcome_unknown
    assert bench.adapter.messages == []


async def test_a_claim_that_a_shutdown_cut_off_is_given_back_once_the_database_is_back(
    bench: Bench,
) -> None:
    envelope = await bench.accept()
    hold = bench.store.hold("claim")
    delivery = asyncio.create_task(bench.deliverer().deliver(envelope))
    await within(hold.reached.wait())
    bench.store.failures["claim"].extend([AWAY, AWAY])
    hold.released.set()

    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(delivery)

    found, events = await record_of(bench, envelope.id)
    assert (found.status, found.attempts, events[-1]) == (Status.PENDING, 0, "interrupt")


async def test_an_end_that_is_being_recorded_is_recorded_in_spite_of_a_shutdown(
    bench: Bench,
) -> None:
    envelope = await bench.accept()

    await interrupted_during(bench, envelope, bench.store.hold("finish"))

    found, events = await record_of(bench, envelope.id)
    assert (found.status, events) == (Status.SENT, ["accept", "claim", "succeed"])


async def test_an_end_that_waits_for_the_database_is_recorded_in_spite_of_a_shutdown(
    bench: Bench,
) -> None:
    bench.store.failures["finish"].append(AWAY)
    envelope = await bench.accept()

    delivery = asyncio.create_task(bench.deliverer().deliver(envelope))
    await bench.store.called("claim", "finish")
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(delivery)

    assert (await bench.stores.get(envelope.id)).status is Status.SENT


async def test_a_shutdown_does_not_wait_for_ever_for_a_database_that_is_away(
    bench: Bench, logs: list[EventDict]
) -> None:
    envelope = await bench.accept()
    bench.lease = replace(bench.lease, stop_patience_s=0.05)
    bench.adapter.hold = Hold()
    delivery = asyncio.create_task(bench.deliverer().deliver(envelope))
    await within(bench.adapter.hold.reached.wait())
    bench.store.is_away = AWAY

    delivery.cancel()
    await asyncio.wait({delivery}, timeout=LIMIT_S)

    assert delivery.cancelled()
    assert [log["event"] for log in logs] == ["finish.not_recorded"]


# --- a store that goes away -----------------------------------------------------------------


@pytest.mark.parametrize("error", [AWAY, StoreBusyError("busy")])
async def test_a_claim_waits_for_the_database_to_come_back(bench: Bench, error: Exception) -> None:
    envelope = await bench.accept()
    bench.store.failures["claim"].extend([error, error, error])

    assert await bench.deliverer().deliver(envelope) is Settlement.ACK

    assert (await bench.stores.get(envelope.id)).status is Status.SENT


@pytest.mark.parametrize("error", [AWAY, StoreBusyError("busy")])
async def test_what_was_sent_is_recorded_once_the_database_is_back(
    bench: Bench, error: Exception
) -> None:
    envelope = await bench.accept()
    bench.store.failures["finish"].extend([error, error, error])

    assert await bench.deliverer().deliver(envelope) is Settlement.ACK

    found, events = await record_of(bench, envelope.id)
    assert (found.status, events[-1]) == (Status.SENT, "succeed")
    assert len(bench.adapter.messages) == 1


async def test_what_was_sent_is_recorded_although_its_lease_ended_meanwhile(
    bench: Bench,
) -> None:
    async def send_and_lose_the_database(_message: Message) -> Outcome:
        await bench.stores.pass_time(bench.lease.duration_s + 1)
        bench.store.failures["finish"].append(AWAY)
        return Sent("id-1")

    envelope = await bench.accept()
    bench.adapter.script.append(send_and_lose_the_database)

    await bench.deliverer().deliver(envelope)

    assert (await bench.stores.get(envelope.id)).status is Status.SENT


async def test_a_worker_that_comes_too_late_is_noted_and_changes_nothing(bench: Bench) -> None:
    async def be_rescued(_message: Message) -> Outcome:
        await bench.stores.pass_time(bench.lease.duration_s + 1)
        policy = RescuePolicy(max_attempts=8, on_unknown=OnUnknown.RESEND)
        assert await bench.stores.upkeep.rescue(10, dict.fromkeys(Channel, policy)) == 1
        return Permanent("550", "no such user")

    envelope = await bench.accept()
    bench.adapter.script.append(be_rescued)

    assert await bench.deliverer().deliver(envelope) is Settlement.ACK

    found, events = await record_of(bench, envelope.id)
    assert found.status is Status.PENDING
    assert events[-2:] == ["rescue", "late_completion"]
    assert bench.memory.ready("email_notifications.dead") == 0


async def test_a_message_of_no_notification_is_buried_and_told_of(
    bench: Bench, logs: list[EventDict]
) -> None:
    lost = envelope_of(a_submission())

    assert await bench.deliverer().deliver(lost) is Settlement.BURY

    told = {"event": "delivery.unknown", "log_level": "error", "id": str(lost.id), "attempt": 0}
    assert logs == [told]
    assert bench.adapter.messages == []


async def test_the_letter_of_what_is_erased_goes_back_and_is_told_of(
    bench: Bench, logs: list[EventDict]
) -> None:
    failed = await bench.stores.ended(FAIL, a_submission(sensitive=True))

    assert await bench.deliverer().deliver(envelope_of(failed, 1)) is Settlement.BURY

    told = {"event": "delivery.erased", "log_level": "warning", "id": str(failed.id), "attempt": 1}
    assert logs == [told]
    assert bench.adapter.messages == []
    assert (await bench.stores.get(failed.id)).status is Status.FAILED


async def test_what_another_worker_holds_is_left_alone(bench: Bench) -> None:
    envelope = await bench.accept()
    claimed = await bench.stores.claim(envelope, by="worker-2")
    assert claimed is not None

    assert await bench.deliverer().deliver(envelope) is Settlement.ACK

    assert bench.adapter.messages == []
    assert await bench.stores.leases.finish(an_end(claimed, SUCCEED))
