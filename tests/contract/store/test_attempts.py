import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from notifier.delivery.ports import Claimed, Miss, Unclaimed
from notifier.idempotency import NotFound
from notifier.notification.envelope import Envelope
from notifier.notification.model import OnUnknown, Status
from notifier.notification.orders import Erased
from notifier.notification.outcomes import Fault
from notifier.notification.transitions import (
    CLAIM,
    EXPIRE,
    FAIL,
    INTERRUPT,
    REPLAY,
    RETRY,
    SNOOZE,
    SUCCEED,
    Transition,
)
from tests.contract.store.stores import A_FAULT, Stores, a_submission, an_end, envelope_of, ids

BACK = [RETRY, SNOOZE, INTERRUPT]
FINAL = [SUCCEED, FAIL, EXPIRE]


async def test_a_notification_goes_from_pending_over_processing_to_sent(stores: Stores) -> None:
    claimed = await stores.claimed()
    assert await stores.status(claimed.id) is Status.PROCESSING

    assert await stores.leases.finish(an_end(claimed, SUCCEED, provider_id="<1@x>"))

    sent = await stores.get(claimed.id)
    assert (sent.status, sent.provider, sent.provider_id) == (Status.SENT, "smtp", "<1@x>")
    assert sent.sent_at is not None
    assert sent.sent_at >= sent.created_at
    assert sent.finished_at == sent.sent_at
    assert await stores.events(claimed.id) == ["accept", "claim", "succeed"]
    assert (await stores.queries.account(service="orders")).is_balanced


async def test_a_claim_hands_over_everything_a_worker_needs(stores: Stores) -> None:
    asked = a_submission(sensitive=True)

    claimed = await stores.claimed(asked)

    for name in (
        "id", "service", "channel", "lane", "recipient", "subject", "content", "html",
        "variables", "metadata", "sensitive", "traceparent",
    ):  # fmt: skip
        assert getattr(claimed, name) == getattr(asked, name)
    assert (claimed.attempt, claimed.attempts_spent, claimed.expires_in_s) == (1, 1, None)


async def test_a_claim_returns_none_when_another_worker_holds_the_lease(stores: Stores) -> None:
    claimed = await stores.claimed()

    assert await stores.claim(envelope_of(claimed, 0), by="worker-2") is None
    assert await stores.claim(envelope_of(claimed, 1), by="worker-2") is None

    assert await stores.events(claimed.id) == ["accept", "claim"]


async def test_an_envelope_of_another_attempt_claims_nothing(stores: Stores) -> None:
    claimed = await stores.ended(RETRY)

    assert await stores.claim(envelope_of(claimed, 0)) is None
    assert await stores.claim(envelope_of(claimed, 2)) is None

    again = await stores.claim(envelope_of(claimed, 1))
    assert again is not None
    assert (again.attempt, again.attempts_spent) == (2, 2)


async def test_an_id_that_no_notification_has_is_told_from_one_with_nothing_to_do(
    stores: Stores,
) -> None:
    finished = await stores.ended(SUCCEED)
    lost, waiting = envelope_of(a_submission()), envelope_of(await stores.accept())

    envelopes = [envelope_of(finished, 1), lost, lost, replace(lost, attempt=3), waiting]
    claims = await asyncio.gather(*(claim(stores, each) for each in envelopes))

    assert claims[:4] == [None, NotFound(), NotFound(), NotFound()]
    assert isinstance(claims[4], Claimed)
    assert await claim(stores, lost) == NotFound()


async def test_ids_that_no_notification_has_are_counted_once_each(stores: Stores) -> None:
    for lost in [envelope_of(a_submission()) for _ in range(2)]:
        await claim(stores, lost)
        assert await stores.dead_letters.stale_dead_letters([lost]) == []

    assert (await stores.queries.account(service=None)).unknown_messages == 2
    assert (await stores.queries.account(service="orders")).unknown_messages == 2
    assert (await stores.queries.backlog()).unknown_messages == 2


async def claim(stores: Stores, envelope: Envelope) -> Claimed | Unclaimed | None:
    return await stores.leases.claim(
        envelope, lease_token=uuid4(), lease_s=60, leased_by="worker-1"
    )


async def test_of_equal_envelopes_at_once_one_claims(stores: Stores) -> None:
    submission = await stores.accept()

    results = await asyncio.gather(*(stores.claim(envelope_of(submission)) for _ in range(20)))

    assert sum(result is not None for result in results) == 1
    assert await stores.events(submission.id) == ["accept", "claim"]


async def test_a_claim_says_how_much_time_is_left(stores: Stores) -> None:
    created_at = (await stores.get((await stores.accept()).id)).created_at

    claimed = await stores.claimed(a_submission(expires_at=created_at + timedelta(seconds=100)))

    assert claimed.expires_in_s == pytest.approx(100, abs=10)


@pytest.mark.parametrize("sensitive", [False, True])
async def test_an_overdue_notification_expires_at_its_claim(
    stores: Stores, *, sensitive: bool
) -> None:
    created_at = (await stores.get((await stores.accept()).id)).created_at
    overdue = a_submission(expires_at=created_at + timedelta(seconds=20), sensitive=sensitive)
    await stores.accept(overdue)
    await stores.pass_time(21)

    assert await stores.claim(envelope_of(overdue)) is None

    expired = await stores.get(overdue.id)
    assert expired.status is Status.EXPIRED
    assert expired.attempts == 0
    assert expired.finished_at is not None
    assert (expired.content is None) is sensitive
    assert await stores.events(overdue.id) == ["accept", "expire"]


@pytest.mark.parametrize("transition", BACK, ids=lambda transition: str(transition.name))
async def test_an_attempt_that_goes_back_is_due_after_its_delay(
    stores: Stores, transition: Transition
) -> None:
    claimed = await stores.claimed()
    await stores.publications.mark_published([envelope_of(claimed, 1)])

    await stores.leases.finish(an_end(claimed, transition, fault=A_FAULT, delay_s=30.5))

    waiting = await stores.get(claimed.id)
    assert waiting.status is Status.PENDING
    assert waiting.due_at - waiting.updated_at == timedelta(seconds=30.5)
    assert waiting.attempts == 1 + transition.counts_attempt
    assert waiting.fault == A_FAULT
    assert waiting.finished_at is None
    assert await stores.events(claimed.id) == ["accept", "claim", transition.name]
    await stores.pass_time(25)
    assert await stores.upkeep.take_due(10, hold_s=1) == []
    await stores.pass_time(6)
    (envelope,) = await stores.upkeep.take_due(10, hold_s=1)
    assert envelope.attempt == 1


async def test_an_interrupted_attempt_without_a_delay_is_due_at_once(stores: Stores) -> None:
    claimed = await stores.claimed()

    await stores.leases.finish(an_end(claimed, INTERRUPT, delay_s=None))

    assert ids(await stores.upkeep.take_due(10, hold_s=1)) == [claimed.id]


@pytest.mark.parametrize("transition", FINAL, ids=lambda transition: str(transition.name))
@pytest.mark.parametrize("sensitive", [False, True])
async def test_a_sensitive_notification_loses_its_content_at_its_final_state(
    stores: Stores, transition: Transition, *, sensitive: bool
) -> None:
    claimed = await stores.ended(transition, a_submission(sensitive=sensitive))

    ended = await stores.get(claimed.id)

    assert ended.status is transition.target
    assert ended.finished_at is not None
    erasable = (ended.subject, ended.content, ended.html, ended.variables)
    assert [value is None for value in erasable] == [sensitive] * 4


async def test_a_sensitive_notification_keeps_its_content_while_it_waits(stores: Stores) -> None:
    claimed = await stores.ended(RETRY, a_submission(sensitive=True))

    assert (await stores.get(claimed.id)).content is not None


async def test_the_timeline_tells_what_a_provider_said(stores: Stores) -> None:
    claimed = await stores.claimed()
    await stores.leases.finish(
        an_end(claimed, RETRY, fault=A_FAULT, provider_id="id-1", delay_s=12.5)
    )

    accepted, claim, retry = await stores.queries.timeline(claimed.id)

    assert (accepted.attempt, claim.attempt, retry.attempt) == (0, 1, 1)
    assert (claim.provider, claim.fault, claim.delay_s) == (None, None, None)
    assert (retry.provider, retry.provider_id) == ("smtp", "id-1")
    assert (retry.fault, retry.delay_s) == (A_FAULT, 12.5)
    assert accepted.at <= claim.at <= retry.at


async def test_a_success_clears_the_fault_of_earlier_attempts(stores: Stores) -> None:
    failed_once = await stores.ended(RETRY)
    claimed = await stores.claim(envelope_of(failed_once, 1))
    assert claimed is not None

    await stores.leases.finish(an_end(claimed, SUCCEED))

    assert (await stores.get(claimed.id)).fault is None


async def test_an_unknown_outcome_stays_marked(stores: Stores) -> None:
    claimed = await stores.claimed()
    await stores.leases.finish(an_end(claimed, RETRY, outcome_unknown=True))
    again = await stores.claim(envelope_of(claimed, 1))
    assert again is not None

    await stores.leases.finish(an_end(again, SUCCEED))

    assert (await stores.get(claimed.id)).outcome_unknown
    assert (await stores.queries.account(service=None)).outcome_unknown == 1


async def test_a_finish_without_the_lease_only_reaches_the_timeline(stores: Stores) -> None:
    claimed = await stores.claimed()
    before = await stores.get(claimed.id)

    foreign = an_end(claimed, FAIL, lease_token=uuid4(), fault=A_FAULT)

    assert not await stores.leases.finish(foreign)
    assert await stores.get(claimed.id) == before
    assert await stores.events(claimed.id) == ["accept", "claim", "late_completion"]
    assert (await stores.queries.timeline(claimed.id))[-1].fault == A_FAULT
    assert (await stores.queries.account(service=None)).late_completions == 1
    assert await stores.leases.finish(an_end(claimed, SUCCEED))


async def test_the_providers_that_were_missed_come_before_the_end_of_the_attempt(
    stores: Stores,
) -> None:
    claimed = await stores.claimed()
    faults = [Fault(kind="transient", code=code, message="no") for code in ("barred", "429")]
    misses = tuple(
        Miss(provider=name, fault=fault)
        for name, fault in zip(("sendgrid", "mailgun"), faults, strict=True)
    )

    assert await stores.leases.finish(an_end(claimed, SUCCEED, misses=misses))

    *_, first, second, end = await stores.queries.timeline(claimed.id)
    assert [each.event for each in (first, second, end)] == ["failover", "failover", "succeed"]
    assert [each.provider for each in (first, second, end)] == ["sendgrid", "mailgun", "smtp"]
    assert [first.fault, second.fault, end.fault] == [*faults, None]
    assert {each.attempt for each in (first, second, end)} == {1}
    assert (await stores.get(claimed.id)).fault is None


@pytest.mark.parametrize("wish", [None, *OnUnknown])
async def test_a_claim_hands_over_the_wish_for_an_unknown_outcome(
    stores: Stores, wish: OnUnknown | None
) -> None:
    assert (await stores.claimed(a_submission(on_unknown=wish))).on_unknown is wish


async def test_an_attempt_ends_once(stores: Stores) -> None:
    claimed = await stores.claimed()

    results = await asyncio.gather(
        *(stores.leases.finish(an_end(claimed, end)) for end in (SUCCEED, FAIL, SUCCEED, RETRY))
    )

    assert results == [True, False, True, False]
    assert await stores.status(claimed.id) is Status.SENT
    assert await stores.events(claimed.id) == ["accept", "claim", "succeed", "late_completion"]


async def test_only_the_end_of_an_attempt_can_finish_it(stores: Stores) -> None:
    claimed = await stores.claimed()

    with pytest.raises(ValueError, match="does not end an attempt"):
        await stores.leases.finish(an_end(claimed, REPLAY))


async def test_a_published_notification_does_not_come_up_again(stores: Stores) -> None:
    submission = await stores.accept()

    await stores.publications.mark_published([envelope_of(submission)])

    await stores.pass_time(500)
    assert await stores.upkeep.take_due(10, hold_s=1) == []


@pytest.mark.parametrize("attempt", [0, 1, 2])
async def test_a_publish_mark_that_comes_after_the_claim_does_nothing(
    stores: Stores, attempt: int
) -> None:
    claimed = await stores.claimed()
    await stores.publications.mark_published([envelope_of(claimed, attempt)])

    await stores.leases.finish(an_end(claimed, INTERRUPT, delay_s=0.0))
    await stores.publications.mark_published([envelope_of(claimed, 0)])

    assert ids(await stores.upkeep.take_due(10, hold_s=1)) == [claimed.id]


async def test_a_dead_letter_replays_and_claims_its_failed_notification(stores: Stores) -> None:
    failed = await stores.ended(FAIL)
    await stores.publications.mark_buried([envelope_of(failed, 1)])

    claimed = await stores.claim(envelope_of(failed, 1))

    assert claimed is not None
    assert (claimed.attempt, claimed.attempts_spent) == (2, 1)
    assert await stores.events(failed.id) == ["accept", "claim", "fail", "replay", "claim"]
    assert (await stores.get(failed.id)).finished_at is None
    assert await stores.dead_letters.channels_with_stale_dead_letters() == set()


async def test_dead_letters_and_new_envelopes_are_claimed_side_by_side(stores: Stores) -> None:
    failed = [await stores.ended(FAIL) for _ in range(3)]
    fresh = await stores.accept_many(3)
    unknown = a_submission()
    envelopes = [
        *(envelope_of(each, 1) for each in failed),
        *(envelope_of(each) for each in fresh),
        envelope_of(unknown),
    ]

    results = await asyncio.gather(*map(stores.claim, envelopes))

    assert [result and result.id for result in results] == [
        *(each.id for each in failed),
        *(each.id for each in fresh),
        None,
    ]
    assert [result.attempt for result in results if result] == [2, 2, 2, 1, 1, 1]


async def test_an_old_envelope_does_not_replay_a_failed_notification(stores: Stores) -> None:
    failed = await stores.ended(FAIL)

    assert await stores.claim(envelope_of(failed, 0)) is None
    assert await stores.status(failed.id) is Status.FAILED


async def test_the_dead_letter_of_an_erased_notification_claims_nothing(stores: Stores) -> None:
    failed = await stores.ended(FAIL, a_submission(sensitive=True))
    other = await stores.ended(FAIL)

    claims = (claim(stores, each) for each in (envelope_of(failed, 1), envelope_of(other, 1)))
    erased, replayed = await asyncio.gather(*claims)

    assert erased == Erased()
    assert isinstance(replayed, Claimed)
    assert await claim(stores, envelope_of(failed, 0)) is None
    assert await stores.events(failed.id) == ["accept", CLAIM.name, FAIL.name]
