"""Replays in the store: grouped, tried again at a rate, stopped, taken back, discarded."""

from dataclasses import replace
from uuid import UUID

import pytest
from uuid_utils import compat

from notifier.idempotency import Applied, NotFound
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Status
from notifier.notification.reading import NotificationFilter
from notifier.notification.transitions import FAIL, REPLAY, SUCCEED
from notifier.replays.replay import (
    Counts,
    Refused,
    Replay,
    Selection,
    Skip,
    State,
    StoredReplay,
    Successor,
)
from tests.contract.store.stores import A_FAULT, Stores, a_submission, an_end, envelope_of, ids

ORDERS = Selection(service="orders")


async def failed(stores: Stores, count: int = 1, *, channel: Channel = Channel.EMAIL) -> list[UUID]:
    """So many that failed, and whose letters lie in the dead queue."""
    claimed = [
        await stores.claimed(a_submission(channel=channel, recipient=f"ada{index}@example.org"))
        for index in range(count)
    ]
    for each in claimed:
        assert await stores.leases.finish(an_end(each, FAIL, fault=A_FAULT))
        await stores.publications.mark_buried([envelope_of(each, each.attempt)])
    return [each.id for each in claimed]


async def begin(stores: Stores, selection: Selection = ORDERS, rate_per_s: int = 1_000) -> UUID:
    replay = Replay(
        id=compat.uuid7(),
        selection=selection,
        rate_per_s=rate_per_s,
        begun_by="somebody",
        expected=None,
    )
    assert await stores.replays.begin(replay) == Applied()
    return replay.id


async def stand(stores: Stores, id: UUID) -> StoredReplay:
    found = await stores.replays.get(id, service=None)
    assert isinstance(found, StoredReplay)
    return found


async def work_off(stores: Stores, id: UUID, limit: int = 500) -> StoredReplay:
    while (await stand(stores, id)).state is State.RUNNING:
        if not await stores.replaying.step(limit):
            await stores.pass_time(1)
    return await stand(stores, id)


async def undo(stores: Stores, id: UUID) -> StoredReplay:
    assert await stores.replays.move(id, State.UNDOING, service=None) == Applied()
    while await stores.replaying.undo(2):
        pass
    return await stand(stores, id)


async def test_what_failed_is_grouped_by_its_cause(stores: Stores) -> None:
    mails = await failed(stores, 3)
    (sms,) = await failed(stores, channel=Channel.SMS)

    survey = await stores.letters.survey(Selection(service=None))

    counted = [(each.cause.channel, each.letters) for each in survey.groups]
    assert counted == [(Channel.EMAIL, 3), (Channel.SMS, 1)]
    (mail, _) = survey.groups
    cause = mail.cause
    assert (cause.service, cause.provider, cause.error_code) == ("orders", "smtp", "421")
    failures = [(await stores.get(id)).finished_at for id in mails]
    assert (mail.first_at, mail.last_at) == (failures[0], failures[-1])
    assert (survey.selected, survey.replayable, survey.is_part) == (4, 4, False)
    assert sms not in mails


async def test_a_survey_says_how_many_would_be_skipped_and_why(stores: Stores) -> None:
    await failed(stores, 2)
    stopped = a_submission(recipient="bob@example.org")
    await stores.ended(FAIL, stopped)
    await stores.suppress(stopped)
    await stores.ended(FAIL, a_submission(sensitive=True))

    survey = await stores.letters.survey(ORDERS)

    assert survey.skipped == {Skip.SUPPRESSED: 1, Skip.ERASED: 1}
    assert (survey.selected, survey.replayable) == (4, 2)


@pytest.mark.parametrize(
    ("filter", "count"),
    [
        (NotificationFilter(channels={Channel.SMS}), 1),
        (NotificationFilter(provider="smtp"), 3),
        (NotificationFilter(provider="ses"), 0),
        (NotificationFilter(error_code="421"), 3),
        (NotificationFilter(error_code="550"), 0),
        (NotificationFilter(template="news"), 0),
    ],
)
async def test_a_replay_tries_again_what_its_filter_selects(
    stores: Stores, filter: NotificationFilter, count: int
) -> None:
    every = [*await failed(stores, 2), *await failed(stores, channel=Channel.SMS)]
    id = await begin(stores, Selection(service="orders", filter=filter))

    done = await work_off(stores, id)

    assert (done.state, done.counts) == (State.DONE, Counts(replayed=count))
    assert [await stores.status(each) for each in every].count(Status.PENDING) == count


async def test_a_replay_of_ids_leaves_the_others(stores: Stores) -> None:
    first, second, third = await failed(stores, 3)

    id = await begin(stores, Selection(service="orders", ids=frozenset({first, third})))
    done = await work_off(stores, id)

    assert done.counts == Counts(replayed=2)
    assert await stores.status(second) is Status.FAILED
    assert done.by_status == {Status.PENDING: 2}


async def test_a_replay_of_another_service_sees_nothing(stores: Stores) -> None:
    (letter,) = await failed(stores)

    done = await work_off(stores, await begin(stores, Selection(service="billing")))

    assert done.counts == Counts()
    assert await stores.status(letter) is Status.FAILED


async def test_a_timeline_names_the_replay(stores: Stores) -> None:
    (letter,) = await failed(stores)

    id = await begin(stores)
    await work_off(stores, id)

    last = (await stores.queries.timeline(letter))[-1]
    assert (last.event, last.note) == (REPLAY.name, f"replay {id}")


async def test_what_cannot_be_sent_is_skipped_with_its_reason(stores: Stores) -> None:
    await failed(stores)
    stopped = a_submission(recipient="bob@example.org")
    await stores.ended(FAIL, stopped)
    await stores.suppress(stopped)
    await stores.ended(FAIL, a_submission(sensitive=True))

    done = await work_off(stores, await begin(stores))

    assert done.counts == Counts(replayed=1, skipped={Skip.SUPPRESSED: 1, Skip.ERASED: 1})
    assert await stores.status(stopped.id) is Status.FAILED


async def test_what_fails_again_is_not_tried_twice_by_one_replay(stores: Stores) -> None:
    letters = await failed(stores, 3)
    id = await begin(stores)
    await stores.replaying.step(1)
    await fail_again(stores, letters[0])

    done = await work_off(stores, id)

    assert done.counts == Counts(replayed=3)
    assert done.by_status == {Status.FAILED: 1, Status.PENDING: 2}
    assert (await stores.events(letters[0])).count(REPLAY.name) == 1


async def test_what_fails_after_it_began_is_for_another_replay(stores: Stores) -> None:
    await failed(stores)
    id = await begin(stores)
    await stores.pass_time(1)
    (later,) = await failed(stores)

    done = await work_off(stores, id)

    assert done.counts == Counts(replayed=1)
    assert await stores.status(later) is Status.FAILED


async def test_a_replay_keeps_to_its_rate(stores: Stores) -> None:
    await failed(stores, 12)
    id = await begin(stores, rate_per_s=4)

    for seconds in range(3):
        while await stores.replaying.step(500):
            pass
        found = await stand(stores, id)
        passed = await stores.now() - found.created_at
        assert 4 * (seconds + 1) <= found.counts.replayed <= 4 * (passed.total_seconds() + 1)
        await stores.pass_time(1)


async def test_a_paused_replay_waits_and_goes_on(stores: Stores) -> None:
    await failed(stores, 3)
    id = await begin(stores)
    await stores.replaying.step(1)
    assert await stores.replays.move(id, State.PAUSED, service="orders") == Applied()

    assert not await stores.replaying.step(1)

    assert await stores.replays.move(id, State.RUNNING, service="orders") == Applied()
    assert (await work_off(stores, id)).counts == Counts(replayed=3)


async def test_a_stopped_replay_does_not_go_on(stores: Stores) -> None:
    await failed(stores, 2)
    id = await begin(stores)
    await stores.replaying.step(1)

    assert await stores.replays.move(id, State.STOPPED, service=None) == Applied()

    assert not await stores.replaying.step(1)
    moved = await stores.replays.move(id, State.RUNNING, service=None)
    assert moved == Refused(State.STOPPED)


async def test_undone_are_those_that_are_not_sent_and_they_are_as_before(stores: Stores) -> None:
    sent, left, published = letters = await failed(stores, 3)
    before = {each: await stores.get(each) for each in letters}
    id = await begin(stores)
    await work_off(stores, id)
    await claim_and(stores, sent, succeed=True)
    message = await envelope_now(stores, published)
    await stores.publications.mark_published([message])

    undone = await undo(stores, id)

    assert (undone.state, undone.counts.undone) == (State.UNDONE, 2)
    assert await stores.status(sent) is Status.SENT
    for each in (left, published):
        now = await stores.get(each)
        assert (now.status, now.fault, now.attempts, now.finished_at) == (
            Status.FAILED,
            before[each].fault,
            before[each].attempts,
            before[each].finished_at,
        )
    assert (await stores.queries.timeline(left))[-1].note == f"replay {id}"
    assert (await stores.queries.account(service=None)).is_balanced


async def test_an_undone_one_gets_a_letter_and_its_message_stands_for_nothing(
    stores: Stores,
) -> None:
    (letter,) = await failed(stores)
    id = await begin(stores)
    await work_off(stores, id)
    message = await envelope_now(stores, letter)

    await undo(stores, id)

    assert await stores.claim(message) is None
    unburied = await stores.dead_letters.take_unburied(10, hold_s=0)
    assert ids(unburied) == [letter]
    assert list(await stores.dead_letters.stale_dead_letters([message])) == [message]
    assert list(await stores.dead_letters.stale_dead_letters(unburied)) == []


async def test_what_somebody_replayed_since_is_not_undone(stores: Stores) -> None:
    (letter,) = await failed(stores)
    first = await begin(stores)
    await work_off(stores, first)
    await fail_again(stores, letter)
    await work_off(stores, await begin(stores))

    undone = await undo(stores, first)

    assert undone.counts.undone == 0
    assert await stores.status(letter) is Status.PENDING


async def test_a_replay_is_forgotten_with_its_letters_once_it_ended_for_long(
    stores: Stores,
) -> None:
    await failed(stores, 2)
    ended = await begin(stores)
    await work_off(stores, ended)
    await stores.pass_time(89 * 86_400)
    going_on = await begin(stores)
    assert await stores.replays.purge() == 0

    await stores.pass_time(2 * 86_400)

    assert await stores.replays.purge() == 3
    assert isinstance(await stores.replays.get(ended, service=None), NotFound)
    assert (await stand(stores, going_on)).state is State.RUNNING


async def test_a_discarded_one_stays_failed_without_a_letter(stores: Stores) -> None:
    gone, kept = await failed(stores, 2)
    message = await envelope_now(stores, gone)
    selection = Selection(service="orders", ids=frozenset({gone}))

    discarded = [
        await stores.letters.discard(selection, reason="a test", by="ada") for _ in range(2)
    ]

    assert discarded == [1, 0]
    assert await stores.status(gone) is Status.FAILED
    assert list(await stores.dead_letters.stale_dead_letters([message])) == [message]
    assert await stores.dead_letters.take_unburied(10, hold_s=0) == []
    last = (await stores.queries.timeline(gone))[-1]
    assert (last.event, last.note) == ("discard", "a test (ada)")
    assert await stores.claim(message) is None
    assert (await stores.letters.survey(ORDERS)).selected == 1
    assert kept != gone


async def test_a_discarded_one_is_replayed_where_that_is_asked_for(stores: Stores) -> None:
    (gone,) = await failed(stores)
    await stores.letters.discard(ORDERS, reason="a test", by="ada")
    assert (await work_off(stores, await begin(stores))).counts == Counts()

    asked = Selection(service="orders", with_discarded=True)
    id = await begin(stores, asked)
    done = await work_off(stores, id)

    assert done.counts == Counts(replayed=1)
    assert await stores.status(gone) is Status.PENDING
    await undo(stores, id)
    assert (await stores.letters.survey(ORDERS)).selected == 0
    assert await stores.dead_letters.take_unburied(10, hold_s=0) == []


async def envelope_now(stores: Stores, id: UUID) -> Envelope:
    """The message of its present attempt."""
    entries = await stores.queries.timeline(id)
    attempt = max(entry.attempt for entry in entries)
    it = await stores.get(id)
    return Envelope(id=id, channel=it.channel, lane=it.lane, attempt=attempt, traceparent=None)


async def claim_and(stores: Stores, id: UUID, *, succeed: bool) -> None:
    claimed = await stores.claim(await envelope_now(stores, id))
    assert claimed is not None
    end = an_end(claimed, SUCCEED) if succeed else an_end(claimed, FAIL, fault=A_FAULT)
    assert await stores.leases.finish(end)


async def fail_again(stores: Stores, id: UUID) -> None:
    await claim_and(stores, id, succeed=False)


# --- letters with a successor ---------------------------------------------------------------


def instead_of(letter: UUID) -> Successor:
    made = replace(a_submission(recipient="new@example.org"), forwarded_from=letter)
    return Successor(letter=letter, submission=made)


async def test_letters_are_picked_oldest_first_and_a_page_at_a_time(stores: Stores) -> None:
    letters = await failed(stores, 3)

    first = await stores.letters.pick(ORDERS, limit=2, after=None)
    rest = await stores.letters.pick(ORDERS, limit=2, after=first.goes_on_after)

    assert (first.ids, first.goes_on_after) == (letters[:2], letters[1])
    assert (rest.ids, rest.goes_on_after) == (letters[2:], None)
    others = await stores.letters.pick(Selection(service="billing"), limit=2, after=None)
    assert others.ids == []


async def test_a_letter_with_a_successor_is_discarded_and_each_knows_the_other(
    stores: Stores,
) -> None:
    [letter] = await failed(stores)
    successor = instead_of(letter)

    assert await stores.letters.succeed([successor], by="somebody") == 1

    made = await stores.get(successor.submission.id)
    assert (made.status, made.forwarded_from) == (Status.PENDING, letter)
    assert await stores.queries.forwards(letter) == [made.id]
    history = await stores.queries.timeline(letter)
    assert history[-1].event == "discard"
    assert history[-1].note == f"sent anew as {made.id} (somebody)"
    assert (await stores.letters.pick(ORDERS, limit=9, after=None)).ids == []
    assert (await stores.get(letter)).status is Status.FAILED


async def test_a_letter_has_one_successor_at_most(stores: Stores) -> None:
    first, second, third = await failed(stores, 3)
    await stores.letters.discard(
        Selection(service=None, ids=frozenset({second})), reason="x", by="y"
    )
    await begin(stores, Selection(service=None, ids=frozenset({third})))
    while await stores.replaying.step(500):
        pass

    made = [instead_of(each) for each in (first, first, second, third)]
    counts = [await stores.letters.succeed([each], by="somebody") for each in made]

    assert counts == [1, 0, 0, 0]
    assert await stores.queries.forwards(first) == [made[0].submission.id]
    assert await stores.queries.forwards(third) == []
