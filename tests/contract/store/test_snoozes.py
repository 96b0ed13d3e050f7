import pytest

from notifier.delivery.ports import Claimed, Snoozes
from notifier.intake.ports import Submission
from notifier.notification.outcomes import Fault
from notifier.notification.transitions import FAIL, REPLAY, RETRY, SNOOZE, Transition
from tests.contract.store.stores import Stores, an_end, envelope_of

SYSTEMIC = Fault(kind="systemic", code="401", message="the key was refused")
THROTTLED = Fault(kind="transient", code="429", message="slow down")


async def attempt(
    stores: Stores, submission: Submission, number: int, transition: Transition, fault: Fault
) -> Claimed:
    """Make an attempt that ends so."""
    claimed = await stores.claim(envelope_of(submission, number))
    assert claimed is not None
    assert await stores.leases.finish(an_end(claimed, transition, fault=fault))
    return claimed


async def test_what_was_never_put_off_has_not_waited(stores: Stores) -> None:
    submission = await stores.accept()

    assert await stores.leases.snoozes(submission.id) == Snoozes(count=0, for_s=0)


async def test_the_wait_runs_from_the_first_systemic_snooze(stores: Stores) -> None:
    submission, other = await stores.accept(), await stores.accept()
    await stores.pass_time(1_000)
    await attempt(stores, submission, 0, SNOOZE, SYSTEMIC)
    await stores.pass_time(60)
    await attempt(stores, submission, 1, RETRY, Fault(kind="transient", code="421", message=""))
    await attempt(stores, submission, 2, SNOOZE, SYSTEMIC)
    await stores.pass_time(40)

    waited = await stores.leases.snoozes(submission.id)

    assert waited.count == 2
    assert waited.for_s == pytest.approx(100, abs=3)
    assert await stores.leases.snoozes(other.id) == Snoozes()


async def test_a_provider_that_throttles_is_no_systemic_reason(stores: Stores) -> None:
    submission = await stores.accept()
    await attempt(stores, submission, 0, SNOOZE, THROTTLED)

    await stores.pass_time(100)

    waited = await stores.leases.snoozes(submission.id)

    assert (waited.count, waited.for_s) == (0, 0)
    assert waited.in_all_s == pytest.approx(100, abs=3)


async def test_a_pause_by_an_operator_does_not_count(stores: Stores) -> None:
    submission = await stores.accept()
    paused = Fault(kind="transient", code="paused", message="maintenance")
    await attempt(stores, submission, 0, SNOOZE, paused)
    await stores.pass_time(100)

    assert await stores.leases.snoozes(submission.id) == Snoozes()


async def test_a_replay_begins_anew(stores: Stores) -> None:
    submission = await stores.accept()
    await attempt(stores, submission, 0, SNOOZE, SYSTEMIC)
    await attempt(stores, submission, 1, FAIL, SYSTEMIC)
    await stores.orders.move(REPLAY, submission.id, service=None)

    assert await stores.leases.snoozes(submission.id) == Snoozes()
    await attempt(stores, submission, 2, SNOOZE, SYSTEMIC)
    assert (await stores.leases.snoozes(submission.id)).count == 1


async def test_what_is_put_off_is_counted_by_provider_wherever_it_waits(stores: Stores) -> None:
    first, second, *others = [await stores.accept() for _ in range(6)]
    await stores.pass_time(100)
    for submission in (first, second):
        await attempt(stores, submission, 0, SNOOZE, SYSTEMIC)
    await attempt(stores, others[0], 0, SNOOZE, THROTTLED)
    await attempt(stores, others[1], 0, FAIL, SYSTEMIC)
    await attempt(stores, others[2], 0, RETRY, THROTTLED)
    await stores.publications.mark_published([envelope_of(second, 1)])

    (found,) = await stores.providers.put_off()

    assert (found.provider, found.count) == ("smtp", 2)
    assert found.oldest_s == pytest.approx(100, abs=3)


async def test_where_nothing_is_put_off_no_provider_is_named(stores: Stores) -> None:
    await stores.accept()

    assert await stores.providers.put_off() == []
