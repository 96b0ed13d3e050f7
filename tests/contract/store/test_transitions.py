"""Every status and every transition, generated from the core's own list."""

from uuid import UUID

import pytest

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.notification.model import Status
from notifier.notification.orders import Erased, Refused
from notifier.notification.transitions import (
    BOUNCE,
    CANCEL,
    CLAIM,
    DELIVER,
    EXPIRE,
    FAIL,
    REPLAY,
    SETTLE,
    SUCCEED,
    SUPPRESS,
    TRANSITIONS,
    Transition,
)
from tests.contract.store.stores import DETAILS, Stores, a_submission, an_end, envelope_of

WAYS: dict[Status, list[Transition]] = {
    Status.PENDING: [],
    Status.PROCESSING: [CLAIM],
    Status.SENT: [CLAIM, SUCCEED],
    Status.DELIVERED: [CLAIM, SUCCEED, DELIVER],
    Status.BOUNCED: [CLAIM, SUCCEED, BOUNCE],
    Status.FAILED: [CLAIM, FAIL],
    Status.EXPIRED: [EXPIRE],
    Status.CANCELLED: [CANCEL],
    Status.SUPPRESSED: [SUPPRESS],
}


async def brought_to(
    stores: Stores, status: Status, *, sensitive: bool = False, is_unknown: bool = False
) -> UUID:
    submission = await stores.accept(
        a_submission(sensitive=sensitive, mail=DETAILS, action_url="/a")
    )
    for transition in WAYS[status]:
        moved = await stores.orders.move(transition, submission.id, service=None)
        assert moved == Applied()
    if is_unknown:
        await stores.make_unknown(submission.id)
    return submission.id


@pytest.mark.parametrize("status", Status)
async def test_a_transition_applies_exactly_where_the_status_is_one_of_its_sources(
    stores: Stores, status: Status
) -> None:
    for transition in TRANSITIONS:
        moved_id = await brought_to(stores, status, is_unknown=transition is SETTLE)
        before = await stores.get(moved_id)
        timeline = await stores.events(moved_id)

        result = await stores.orders.move(transition, moved_id, service="orders")

        if status in transition.sources:
            assert result == Applied(), transition.name
            assert await stores.status(moved_id) is transition.target
            assert await stores.events(moved_id) == [*timeline, transition.name]
        else:
            assert result == Refused(status), transition.name
            assert await stores.get(moved_id) == before
            assert await stores.events(moved_id) == timeline
    assert (await stores.queries.account(service=None)).is_balanced


@pytest.mark.parametrize("status", Status)
async def test_the_hot_path_keeps_to_the_same_sources(stores: Stores, status: Status) -> None:
    claimed = await stores.claimed()
    moved_id = claimed.id
    if status is not Status.PROCESSING:
        assert await stores.leases.finish(an_end(claimed, FAIL))
        for transition in [REPLAY, *WAYS[status]]:
            await stores.orders.move(transition, moved_id, service=None)
    attempt = 1
    assert await stores.status(moved_id) is status

    assert await stores.leases.finish(an_end(claimed, SUCCEED)) is (status is Status.PROCESSING)
    again = await stores.claim(envelope_of(claimed, attempt))

    assert (again is not None) is (status in {Status.PENDING, Status.FAILED})


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda transition: str(transition.name))
async def test_whatever_door_leads_to_a_final_state_a_sensitive_content_is_erased(
    stores: Stores, transition: Transition
) -> None:
    for source in transition.sources - {Status.FAILED}:
        moved_id = await brought_to(stores, source, sensitive=True, is_unknown=transition is SETTLE)

        await stores.orders.move(transition, moved_id, service=None)

        moved = await stores.get(moved_id)
        content = (moved.subject, moved.content, moved.html, moved.action_url)
        erasable = (*content, moved.variables, moved.mail)
        erased = transition.target.is_final
        assert [value is None for value in erasable] == [erased] * 6
        assert (moved.finished_at is not None) is erased


async def test_an_erased_notification_is_not_replayed(stores: Stores) -> None:
    moved_id = await brought_to(stores, Status.FAILED, sensitive=True)

    assert await stores.orders.move(REPLAY, moved_id, service=None) == Erased()
    assert await stores.orders.move(CANCEL, moved_id, service=None) == Refused(Status.FAILED)
    assert await stores.orders.replay_failed(channel=None, limit=10) == []


async def test_a_replayed_notification_starts_anew(stores: Stores) -> None:
    failed = await stores.ended(FAIL)

    assert await stores.orders.move(REPLAY, failed.id, service=None) == Applied()

    replayed = await stores.get(failed.id)
    assert (replayed.status, replayed.attempts) == (Status.PENDING, 0)
    assert replayed.finished_at is None
    (envelope,) = await stores.upkeep.take_due(10, hold_s=1)
    assert envelope.attempt == 1


async def test_what_belongs_to_another_service_is_not_found(stores: Stores) -> None:
    submission = await stores.accept()

    result = await stores.orders.move(CANCEL, submission.id, service="payments")

    assert result == NotFound()
    assert await stores.status(submission.id) is Status.PENDING


async def test_a_repeated_cancel_gets_the_first_answer(stores: Stores) -> None:
    submission = await stores.accept()
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")
    other = Idempotency(service="orders", key="k", fingerprint="other", answer="a")

    results = [
        await stores.orders.move(CANCEL, submission.id, service="orders", idempotency=each)
        for each in (key, key, other)
    ]

    assert results == [Applied(), Remembered("a"), KeyReused()]
    assert await stores.events(submission.id) == ["accept", "cancel"]


async def test_a_refused_move_keeps_no_key(stores: Stores) -> None:
    submission = await stores.accept()
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")
    refused = await stores.orders.move(REPLAY, submission.id, service="orders", idempotency=key)
    assert refused == Refused(Status.PENDING)

    assert (
        await stores.orders.move(CANCEL, submission.id, service="orders", idempotency=key)
        == Applied()
    )


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED])
async def test_what_is_known_is_not_settled(stores: Stores, status: Status) -> None:
    known = await brought_to(stores, status)

    assert await stores.orders.move(SETTLE, known, service=None) == Refused(status)
