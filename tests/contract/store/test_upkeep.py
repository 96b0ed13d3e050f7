import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from notifier.delivery.ports import RescuePolicy
from notifier.idempotency import Applied
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane, OnUnknown, Status
from notifier.notification.queueing import QueueDepth
from notifier.notification.transitions import FAIL, REPLAY, RETRY, SUCCEED
from notifier.store.notification.upkeep import LEASE_ENDED
from tests.clock import SystemClock
from tests.contract.store.stores import LOST_AFTER_S, Stores, a_submission, an_end, envelope_of, ids

RESEND = {channel: RescuePolicy(max_attempts=3, on_unknown=OnUnknown.RESEND) for channel in Channel}
HOLD = {channel: RescuePolicy(max_attempts=3, on_unknown=OnUnknown.HOLD) for channel in Channel}
EMAIL = [(Channel.EMAIL, Lane.NORMAL)]
SLACK_S = 60


async def test_what_a_relay_took_comes_up_again_after_its_hold(stores: Stores) -> None:
    submission = await stores.accept()
    await stores.pass_time(6)

    assert ids(await stores.upkeep.take_due(10, hold_s=20)) == [submission.id]
    await stores.pass_time(15)
    assert await stores.upkeep.take_due(10, hold_s=20) == []
    await stores.pass_time(6)
    assert ids(await stores.upkeep.take_due(10, hold_s=20)) == [submission.id]


async def test_a_relay_takes_no_more_than_it_asked_for(stores: Stores) -> None:
    submissions = await stores.accept_many(5)
    await stores.pass_time(6)

    taken = [ids(await stores.upkeep.take_due(2, hold_s=99)) for _ in range(3)]

    assert [len(batch) for batch in taken] == [2, 2, 1]
    assert sorted(itertools.chain(*taken)) == sorted(each.id for each in submissions)


async def test_urgent_ones_are_taken_first(stores: Stores) -> None:
    for lane in (Lane.BULK, Lane.HIGH, Lane.NORMAL, Lane.BULK, Lane.HIGH):
        await stores.accept(replace(a_submission(), lane=lane))
    await stores.pass_time(6)

    taken = await stores.upkeep.take_due(3, hold_s=99)

    assert [each.lane for each in taken] == [Lane.HIGH, Lane.HIGH, Lane.NORMAL]
    assert await stores.upkeep.due_queues() == [(Channel.EMAIL, Lane.BULK)]


async def test_services_get_equal_shares_of_what_is_taken(stores: Stores) -> None:
    for service in ("shop", "shop", "shop", "codes", "shop", "news", "shop"):
        await stores.accept(a_submission(service=service))
    await stores.pass_time(6)

    taken = await stores.upkeep.take_due(3, hold_s=99)
    found = [(await stores.get(each.id)).service for each in taken]
    rest = await stores.upkeep.take_due(9, hold_s=99)

    assert sorted(found) == ["codes", "news", "shop"]
    assert len(rest) == 4


async def test_more_services_than_may_be_taken_come_by_how_long_they_waited(
    stores: Stores,
) -> None:
    for service in ("c", "a", "b"):
        await stores.accept(a_submission(service=service))
        await stores.pass_time(6)

    taken = [await stores.upkeep.take_due(1, hold_s=99) for _ in range(3)]
    found = [(await stores.get(each.id)).service for (each,) in taken]

    assert found == ["c", "a", "b"]


async def test_only_what_is_for_the_queues_asked_for_is_taken(stores: Stores) -> None:
    email = await stores.accept()
    sms = await stores.accept(a_submission(channel=Channel.SMS))
    await stores.pass_time(6)
    take_due = stores.upkeep.take_due

    assert set(await stores.upkeep.due_queues()) == {
        (Channel.EMAIL, Lane.NORMAL),
        (Channel.SMS, Lane.NORMAL),
    }
    assert await stores.upkeep.due_queues([Lane.HIGH]) == []
    assert await take_due(9, hold_s=99, queues=[(Channel.EMAIL, Lane.HIGH)]) == []
    assert ids(await take_due(9, hold_s=99, queues=[(Channel.SMS, Lane.NORMAL)])) == [sms.id]
    assert ids(await take_due(9, hold_s=99)) == [email.id]


async def test_what_is_not_due_yet_hides_nothing_that_is(stores: Stores) -> None:
    later = SystemClock().now() + timedelta(hours=1)
    for _ in range(3):
        await stores.accept(a_submission(send_at=later))
    due = await stores.accept()
    await stores.accept(a_submission(service="codes", send_at=later))
    await stores.pass_time(6)

    assert ids(await stores.upkeep.take_due(9, hold_s=99)) == [due.id]
    assert await stores.upkeep.due_queues() == []


async def test_a_published_notification_is_lost_if_its_empty_queue_never_gave_it(
    stores: Stores,
) -> None:
    submission = await stores.accept()
    await stores.publications.mark_published([envelope_of(submission)])
    lost = stores.upkeep.take_lost

    await stores.pass_time(590)
    assert await lost(10, hold_s=30, empty=EMAIL) == []
    await stores.pass_time(11)
    assert await lost(10, hold_s=30, empty=[]) == []
    assert await lost(10, hold_s=30, empty=[(Channel.EMAIL, Lane.BULK)]) == []
    assert ids(await lost(10, hold_s=30, empty=[*EMAIL, (Channel.SMS, Lane.HIGH)])) == [
        submission.id
    ]
    assert await lost(10, hold_s=30, empty=EMAIL) == []
    await stores.pass_time(31)
    assert ids(await lost(10, hold_s=30, empty=EMAIL)) == [submission.id]


async def test_a_notification_published_again_is_not_lost_for_a_while(stores: Stores) -> None:
    submission = await stores.accept()
    for _ in range(2):
        await stores.publications.mark_published([envelope_of(submission)])
        await stores.pass_time(400)

    assert await stores.upkeep.take_lost(10, hold_s=30, empty=EMAIL) == []


async def test_what_is_held_for_long_is_taken_for_lost_ever_more_rarely(stores: Stores) -> None:
    envelope = envelope_of(await stores.accept())
    age_s = 0.0
    for _ in range(6):
        await stores.publications.mark_published([envelope])
        wait_s = min(max(age_s, LOST_AFTER_S), 10 * LOST_AFTER_S)
        # A busy machine's own seconds count as well.
        await stores.pass_time(wait_s - SLACK_S)
        assert await stores.upkeep.take_lost(10, hold_s=0, empty=EMAIL) == []
        await stores.pass_time(2 * SLACK_S)
        assert await stores.upkeep.take_lost(10, hold_s=0, empty=EMAIL) == [envelope]
        age_s += wait_s + SLACK_S

    assert age_s > 20 * LOST_AFTER_S


async def test_an_ended_lease_is_rescued_and_its_outcome_unknown(stores: Stores) -> None:
    claimed = await stores.claimed()
    await stores.pass_time(61)

    assert await stores.upkeep.rescue(10, RESEND) == 1

    rescued = await stores.get(claimed.id)
    assert rescued.status is Status.PENDING
    assert rescued.outcome_unknown
    assert (rescued.fault, rescued.attempts) == (LEASE_ENDED, 1)
    assert await stores.events(claimed.id) == ["accept", "claim", "rescue"]
    (envelope,) = await stores.upkeep.take_due(10, hold_s=1)
    assert envelope.attempt == 1


@pytest.mark.parametrize(
    ("policies", "wish", "status"),
    [
        (RESEND, OnUnknown.HOLD, Status.FAILED),
        (HOLD, OnUnknown.RESEND, Status.PENDING),
        (HOLD, None, Status.FAILED),
        (RESEND, None, Status.PENDING),
    ],
)
async def test_a_notifications_own_wish_goes_before_its_channels(
    stores: Stores,
    policies: dict[Channel, RescuePolicy],
    wish: OnUnknown | None,
    status: Status,
) -> None:
    claimed = await stores.claimed(a_submission(on_unknown=wish))
    await stores.pass_time(61)

    assert await stores.upkeep.rescue(10, policies) == 1

    assert await stores.status(claimed.id) is status


async def test_a_live_lease_is_not_rescued(stores: Stores) -> None:
    await stores.claimed()
    await stores.pass_time(55)

    assert await stores.upkeep.rescue(10, RESEND) == 0


async def test_a_worker_that_comes_too_late_overwrites_nothing(stores: Stores) -> None:
    late = await stores.claimed()
    await stores.pass_time(61)
    await stores.upkeep.rescue(10, RESEND)
    current = await stores.claim(envelope_of(late, 1))
    assert current is not None

    assert not await stores.leases.finish(an_end(late, SUCCEED))

    assert await stores.status(late.id) is Status.PROCESSING
    assert await stores.leases.finish(an_end(current, SUCCEED))
    assert await stores.events(late.id) == [
        "accept", "claim", "rescue", "claim", "late_completion", "succeed",
    ]  # fmt: skip


@pytest.mark.parametrize("sensitive", [False, True])
async def test_a_channel_that_holds_fails_what_may_have_been_sent(
    stores: Stores, *, sensitive: bool
) -> None:
    claimed = await stores.claimed(a_submission(sensitive=sensitive))
    await stores.pass_time(61)

    assert await stores.upkeep.rescue(10, HOLD) == 1

    held = await stores.get(claimed.id)
    assert (held.status, held.fault) == (Status.FAILED, LEASE_ENDED)
    assert held.outcome_unknown
    assert held.finished_at is not None
    assert (held.content is None) is sensitive
    assert await stores.events(claimed.id) == ["accept", "claim", "fail"]
    assert ids(await stores.dead_letters.take_unburied(10, hold_s=1)) == [claimed.id]


async def test_a_notification_that_kills_its_workers_fails_in_the_end(stores: Stores) -> None:
    submission = await stores.accept()

    for attempt in range(3):
        assert await stores.status(submission.id) is Status.PENDING
        claimed = await stores.claim(envelope_of(submission, attempt))
        assert claimed is not None
        assert claimed.attempts_spent == attempt + 1
        await stores.pass_time(61)
        assert await stores.upkeep.rescue(10, RESEND) == 1

    assert await stores.status(submission.id) is Status.FAILED


async def test_a_channel_without_a_policy_blocks_no_other(stores: Stores) -> None:
    for _ in range(3):
        await stores.claimed(a_submission(channel=Channel.SMS))
    email = await stores.claimed()
    await stores.pass_time(61)

    assert await stores.upkeep.rescue(1, {Channel.EMAIL: RESEND[Channel.EMAIL]}) == 1
    assert await stores.upkeep.rescue(1, {}) == 0

    assert await stores.status(email.id) is Status.PENDING


async def test_the_leases_of_a_dead_worker_end_at_once_and_no_others(stores: Stores) -> None:
    dead, alive = await stores.accept(), await stores.accept()
    await stores.claim(envelope_of(dead), by="worker-1")
    await stores.claim(envelope_of(alive), by="worker-2")

    assert await stores.upkeep.end_leases("worker-1") == 1

    assert await stores.upkeep.rescue(10, RESEND) == 1
    assert await stores.status(dead.id) is Status.PENDING
    assert await stores.status(alive.id) is Status.PROCESSING


async def test_a_pending_notification_expires_when_its_time_has_passed(stores: Stores) -> None:
    now = (await stores.get((await stores.accept()).id)).created_at
    soon = await stores.accept(a_submission(expires_at=now + timedelta(seconds=30), sensitive=True))
    later = await stores.accept(a_submission(expires_at=now + timedelta(seconds=90)))
    await stores.pass_time(31)

    assert await stores.upkeep.expire(10) == 1

    assert (await stores.get(soon.id)).content is None
    assert await stores.events(soon.id) == ["accept", "expire"]
    assert await stores.status(later.id) is Status.PENDING


async def test_a_failure_is_left_to_its_worker_to_bury_for_a_grace(stores: Stores) -> None:
    failed = await stores.ended(FAIL)
    assert await stores.dead_letters.take_unburied(10, hold_s=20) == []

    await stores.pass_time(6)

    (letter,) = await stores.dead_letters.take_unburied(10, hold_s=20)
    assert letter == envelope_of(failed, 1)
    assert await stores.dead_letters.take_unburied(10, hold_s=20) == []
    await stores.publications.mark_buried([letter])
    await stores.pass_time(100)
    assert await stores.dead_letters.take_unburied(10, hold_s=20) == []


async def test_what_was_to_be_buried_before_may_have_two_letters_and_is_swept_for(
    stores: Stores,
) -> None:
    letter = envelope_of(await stores.ended(FAIL), 1)
    await stores.pass_time(6)

    assert list(await stores.dead_letters.take_unburied(10, hold_s=1)) == [letter]
    await stores.publications.mark_buried([letter])

    assert await stores.dead_letters.channels_with_stale_dead_letters() == {Channel.EMAIL}
    assert await stores.dead_letters.stale_dead_letters([letter]) == []
    await stores.pass_time(61)
    await stores.dead_letters.mark_unburied(Channel.EMAIL, [])
    assert await stores.dead_letters.channels_with_stale_dead_letters() == set()


async def test_what_nobody_was_to_bury_before_has_one_letter(stores: Stores) -> None:
    await stores.claimed()
    await stores.pass_time(61)
    await stores.upkeep.rescue(10, HOLD)

    (letter,) = await stores.dead_letters.take_unburied(10, hold_s=1)
    assert await stores.dead_letters.channels_with_stale_dead_letters() == set()

    await stores.pass_time(2)
    assert list(await stores.dead_letters.take_unburied(10, hold_s=1)) == [letter]
    assert await stores.dead_letters.channels_with_stale_dead_letters() == {Channel.EMAIL}


async def _buried(stores: Stores, channel: Channel = Channel.EMAIL) -> Envelope:
    letter = envelope_of(await stores.ended(FAIL, a_submission(channel=channel)), 1)
    await stores.publications.mark_buried([letter])
    return letter


async def _published(stores: Stores) -> Envelope:
    envelope = envelope_of(await stores.accept())
    await stores.publications.mark_published([envelope])
    return envelope


async def test_what_is_pending_while_its_message_lies_in_a_dead_queue_is_recalled(
    stores: Stores,
) -> None:
    given_up, waiting = await _published(stores), await _published(stores)

    assert await stores.dead_letters.recall([given_up]) == 1
    assert await stores.dead_letters.recall([given_up]) == 0

    assert await stores.dead_letters.stale_dead_letters([given_up]) == [given_up]
    [due] = await stores.upkeep.take_due(10, hold_s=1)
    assert due == replace(given_up, attempt=1)
    found = await stores.get(given_up.id)
    assert (found.status, found.attempts) == (Status.PENDING, 0)
    assert await stores.events(given_up.id) == ["accept", "recall"]
    assert await stores.claim(given_up) is None
    assert await stores.claim(due) is not None
    assert await stores.events(waiting.id) == ["accept"]


async def test_what_nobody_claims_is_recalled_however_often_the_broker_gives_it_up(
    stores: Stores,
) -> None:
    message = await _published(stores)

    for attempt in range(1, 6):
        assert await stores.dead_letters.recall([message]) == 1
        [message] = await stores.upkeep.take_due(10, hold_s=1)
        assert message.attempt == attempt
        await stores.publications.mark_published([message])

    found = await stores.get(message.id)
    assert (found.status, found.attempts) == (Status.PENDING, 0)
    assert found.fault is not None
    assert found.fault.code == "delivery_limit"
    assert await stores.events(message.id) == ["accept", *["recall"] * 5]
    assert await stores.claim(message) is not None


async def test_letters_of_what_is_not_in_the_broker_or_was_replayed_recall_nothing(
    stores: Stores,
) -> None:
    unpublished = envelope_of(await stores.accept())
    replayed = await _buried(stores)
    await stores.orders.move(REPLAY, replayed.id, service=None)
    await stores.publications.mark_published([replayed])
    failed = await _buried(stores)
    claimed = envelope_of(await stores.claimed())

    assert await stores.dead_letters.recall([unpublished, replayed, failed, claimed]) == 0


async def test_a_replay_makes_its_dead_letter_stale_until_it_is_swept(stores: Stores) -> None:
    replayed, failed = await _buried(stores), await _buried(stores)
    assert await stores.dead_letters.channels_with_stale_dead_letters() == set()

    await stores.orders.move(REPLAY, replayed.id, service=None)

    assert await stores.dead_letters.channels_with_stale_dead_letters() == {Channel.EMAIL}
    assert list(await stores.dead_letters.stale_dead_letters([replayed, failed])) == [replayed]
    await stores.dead_letters.mark_unburied(Channel.EMAIL, [replayed])
    assert await stores.dead_letters.channels_with_stale_dead_letters() == set()


async def test_dead_letters_that_no_sweep_finds_are_not_looked_for_for_ever(
    stores: Stores,
) -> None:
    purged, other = await _buried(stores), await _buried(stores, Channel.SMS)
    for letter in (purged, other):
        await stores.orders.move(REPLAY, letter.id, service=None)

    await stores.dead_letters.mark_unburied(Channel.EMAIL, [])
    assert len(await stores.dead_letters.channels_with_stale_dead_letters()) == 2
    await stores.pass_time(61)
    await stores.dead_letters.mark_unburied(Channel.EMAIL, [])

    assert await stores.dead_letters.channels_with_stale_dead_letters() == {Channel.SMS}


async def test_a_failure_after_a_replay_gets_a_dead_letter_of_its_own(stores: Stores) -> None:
    old = await _buried(stores)
    await stores.orders.move(REPLAY, old.id, service=None)
    claimed = await stores.claim(old)
    assert claimed is not None
    await stores.leases.finish(an_end(claimed, FAIL))
    await stores.pass_time(6)

    (new,) = await stores.dead_letters.take_unburied(10, hold_s=1)
    await stores.publications.mark_buried([new])

    assert new == replace(old, attempt=2)
    assert list(await stores.dead_letters.stale_dead_letters([old, new])) == [old]
    await stores.dead_letters.mark_unburied(Channel.EMAIL, [old])
    await stores.pass_time(100)
    assert await stores.dead_letters.channels_with_stale_dead_letters() == set()
    assert await stores.dead_letters.take_unburied(10, hold_s=1) == []


async def test_a_letter_buried_after_its_replay_is_stale(stores: Stores) -> None:
    failed = await stores.ended(FAIL)
    await stores.orders.move(REPLAY, failed.id, service=None)

    await stores.publications.mark_buried([envelope_of(failed, 1)])

    assert await stores.dead_letters.channels_with_stale_dead_letters() == {Channel.EMAIL}


async def test_a_current_letter_that_was_removed_is_buried_again(stores: Stores) -> None:
    letter = await _buried(stores)

    await stores.dead_letters.mark_unburied(Channel.EMAIL, [letter])

    await stores.pass_time(6)
    assert ids(await stores.dead_letters.take_unburied(10, hold_s=1)) == [letter.id]


async def test_failed_notifications_are_replayed_in_order_of_their_ids(stores: Stores) -> None:
    failed = sorted([(await stores.ended(FAIL)).id for _ in range(4)])
    text = await stores.ended(FAIL, a_submission(channel=Channel.SMS))
    await stores.ended(RETRY)
    replay = stores.orders.replay_failed

    assert await replay(channel=Channel.EMAIL, limit=2) == failed[:2]
    assert await replay(channel=Channel.EMAIL, limit=2, after=failed[2]) == failed[3:]
    assert await replay(channel=None, limit=9) == sorted([failed[2], text.id])
    assert await replay(channel=None, limit=9) == []

    assert await stores.events(text.id) == ["accept", "claim", "fail", "replay"]
    assert len(await stores.upkeep.take_due(10, hold_s=1)) == 5


async def test_a_replay_by_its_dead_letter_and_by_the_api_claims_once(stores: Stores) -> None:
    letter = await _buried(stores)
    assert await stores.orders.move(REPLAY, letter.id, service=None) == Applied()

    assert await stores.claim(letter) is not None
    assert await stores.claim(letter) is None


def a_queue(*, ready: int, consumers: int) -> QueueDepth:
    return QueueDepth(
        name="email_notifications",
        channel=Channel.EMAIL,
        lane=Lane.NORMAL,
        ready=ready,
        consumers=consumers,
    )


async def test_more_than_a_queue_can_hold_is_missing_and_due_again(stores: Stores) -> None:
    submissions = await stores.accept_many(6)
    for submission in submissions:
        await stores.publications.mark_published([envelope_of(submission)])
    await stores.accept(a_submission(channel=Channel.SMS, recipient="+491701234567"))
    missing = stores.upkeep.unpublish_missing

    assert await missing(9, queue=a_queue(ready=0, consumers=0)) == 0
    await stores.pass_time(9)
    assert await missing(9, queue=a_queue(ready=0, consumers=0)) == 0
    await stores.pass_time(2)
    assert await missing(9, queue=a_queue(ready=2, consumers=4)) == 0
    assert await missing(9, queue=a_queue(ready=2, consumers=3)) == 6
    due = await stores.upkeep.take_due(9, hold_s=1)

    assert set(ids(due)) >= {submission.id for submission in submissions}
    assert await missing(9, queue=a_queue(ready=0, consumers=0)) == 0
