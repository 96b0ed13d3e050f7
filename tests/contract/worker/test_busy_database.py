"""A database that is busy is one that does not answer: nothing is lost, and nothing is spent."""

import asyncio
from dataclasses import replace

import pytest

from notifier.errors import StoreBusyError, StoreUnavailableError
from notifier.notification.envelope import Settlement
from notifier.notification.model import Status
from notifier.notification.outcomes import Outcome, Sent, Systemic, Transient
from notifier.providers.breaker import BreakerSettings
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import Bench, within

BUSY = StoreBusyError("another transaction holds it")
AWAY = StoreUnavailableError("away")
AT_ONCE = BreakerSettings(fresh_s=0.005, systemic_in_a_row=1)


@pytest.fixture(params=[BUSY, AWAY], ids=["busy", "away"])
def error(request: pytest.FixtureRequest) -> Exception:
    found: Exception = request.param
    return found


@pytest.mark.parametrize(
    ("call", "outcome", "status"),
    [
        ("close", Sent("id-1"), Status.SENT),
        ("open", Systemic("401", "the key was refused"), Status.PENDING),
        ("throttle", Transient("429", "slow down", 7, throttled=True), Status.PENDING),
    ],
)
async def test_a_breaker_that_cannot_be_written_keeps_no_result_from_being_recorded(
    bench: Bench, error: Exception, call: str, outcome: Outcome, status: Status
) -> None:
    bench.breakers = AT_ONCE
    if call == "close":
        await bench.stores.providers.open("scripted", reason="401", for_s=0)
    bench.adapter.script.append(outcome)
    bench.providers.failures[call].append(error)
    envelope = await bench.accept()

    assert await within(bench.deliverer().deliver(envelope)) is Settlement.ACK

    found = await bench.stores.get(envelope.id)
    assert (found.status, found.outcome_unknown) == (status, False)
    assert found.provider == "scripted"


async def test_states_that_cannot_be_read_keep_nothing_from_being_sent(
    bench: Bench, error: Exception
) -> None:
    bench.providers.failures["states"].append(error)
    envelope = await bench.accept()

    assert await within(bench.deliverer().deliver(envelope)) is Settlement.ACK

    assert await bench.stores.status(envelope.id) is Status.SENT


async def test_a_probe_that_cannot_be_taken_is_waited_for(bench: Bench, error: Exception) -> None:
    bench.breakers = AT_ONCE
    await bench.stores.providers.open("scripted", reason="401", for_s=0)
    bench.providers.failures["probe"].extend([error] * 3)
    envelope = await bench.accept()

    assert await within(bench.deliverer().deliver(envelope)) is Settlement.ACK

    assert await bench.stores.status(envelope.id) is Status.SENT


async def test_a_pace_of_which_six_in_seven_asks_are_refused_gives_no_message_back(
    bench: Bench, error: Exception
) -> None:
    bench.breakers = AT_ONCE
    bench.rates_per_s = {"scripted": 1_000}
    envelopes = [await bench.accept() for _ in range(20)]
    bench.providers.failures["reserve"].extend([error] * 6 * len(envelopes))
    deliverer = bench.deliverer()

    settlements = await within(asyncio.gather(*map(deliverer.deliver, envelopes)))

    assert set(settlements) == {Settlement.ACK}
    found = [await bench.stores.get(envelope.id) for envelope in envelopes]
    assert {(each.status, each.attempts) for each in found} == {(Status.SENT, 1)}


async def test_a_probe_that_cannot_be_given_back_keeps_no_failure_from_being_recorded(
    bench: Bench, error: Exception
) -> None:
    await bench.stores.providers.open("scripted", reason="401", for_s=0)
    bench.providers.failures["release"].append(error)
    envelope = await bench.accept(replace(a_submission(), content="{{ missing }}"))

    assert await within(bench.deliverer().deliver(envelope)) is Settlement.ACK

    assert await bench.stores.status(envelope.id) is Status.FAILED
