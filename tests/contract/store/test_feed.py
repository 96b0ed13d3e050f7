"""The feed: all that happens to notifications, in one order, and how far a reader has come."""

import asyncio
from dataclasses import astuple
from functools import partial
from uuid import UUID

from notifier.notification.feed import START, Cursor, FeedEvent
from notifier.notification.model import Channel, Status
from notifier.notification.transitions import CANCEL, FAIL, RETRY, SUCCEED
from notifier.store.notification import feed
from tests.contract.store.stores import Stores, a_submission, open_stores

READER = "audit"


async def all_after(stores: Stores, cursor: Cursor, limit: int = 3) -> list[FeedEvent]:
    """What a reader gets that goes on until there is no more."""
    found: list[FeedEvent] = []
    while True:
        page = await stores.feed.after(cursor, limit)
        assert page.is_complete
        found += page.events
        cursor = page.goes_on_after
        if len(page.events) < limit:
            return found


async def end_of(stores: Stores) -> Cursor:
    """After all that has happened so far."""
    return (await stores.feed.after(START, 1_000)).goes_on_after


async def remove(stores: Stores, *ids: UUID) -> None:
    await stores.database.write(partial(feed.remove, notifications=ids))


async def test_the_feed_tells_what_happened_to_whom_and_where_that_leaves_it(
    stores: Stores,
) -> None:
    start = await end_of(stores)
    claimed = await stores.ended(SUCCEED, a_submission(service="shop", channel=Channel.SMS))

    accepted, claim, end = await all_after(stores, start)

    assert [accepted.event, claim.event, end.event] == ["accept", "claim", "succeed"]
    assert {each.notification_id for each in (accepted, claim, end)} == {claimed.id}
    assert (end.service, end.channel, end.attempt, end.provider) == ("shop", "sms", 1, "smtp")
    assert [accepted.status, claim.status, end.status] == [
        Status.PENDING, Status.PROCESSING, Status.SENT,
    ]  # fmt: skip
    assert accepted.position < claim.position < end.position
    assert [entry.at for entry in await stores.queries.timeline(claimed.id)] == [
        accepted.at, claim.at, end.at,
    ]  # fmt: skip


async def test_the_feed_holds_nothing_of_recipient_or_content(stores: Stores) -> None:
    start = await end_of(stores)
    submission = a_submission()
    await stores.ended(FAIL, submission)

    told = repr([astuple(each) for each in await all_after(stores, start)])

    for secret in (submission.recipient, submission.content, submission.subject):
        assert str(secret) not in told


async def test_pages_of_any_size_hold_each_event_once_and_in_the_same_order(
    stores: Stores,
) -> None:
    start = await end_of(stores)
    for transition in (SUCCEED, RETRY, FAIL):
        await stores.ended(transition)

    whole = await all_after(stores, start, limit=100)
    assert len(whole) == 9
    assert [await all_after(stores, start, limit) for limit in (1, 2, 3, 9)] == [whole] * 4


async def test_the_same_question_gets_the_same_answer_and_then_what_came_since(
    stores: Stores,
) -> None:
    start = await end_of(stores)
    await stores.accept_many(3)
    full, short = [await stores.feed.after(start, limit) for limit in (2, 5)]

    await stores.accept_many(3)

    assert await stores.feed.after(start, 2) == full
    longer = await stores.feed.after(start, 5)
    assert [*longer.events[:3]] == [*short.events]
    assert len(longer.events) == 5


async def test_who_is_at_the_end_gets_nothing_until_something_happens(stores: Stores) -> None:
    submission = await stores.accept()
    end = await end_of(stores)

    nothing = await stores.feed.after(end, 5)
    await stores.orders.move(CANCEL, submission.id, service=None)
    something = await stores.feed.after(end, 5)

    assert (nothing.events, nothing.goes_on_after, nothing.is_complete) == ((), end, True)
    assert [each.event for each in something.events] == ["cancel"]


async def test_a_feed_without_events_is_at_its_start(stores: Stores) -> None:
    page = await stores.feed.after(START, 5)

    assert (page.events, page.goes_on_after, page.is_complete) == ((), START, True)


async def test_a_reader_killed_before_it_stores_its_cursor_gets_the_same_again(
    stores: Stores,
) -> None:
    await stores.cursors.store(READER, await end_of(stores))
    for _ in range(4):
        await stores.accept()
    handled: list[FeedEvent] = []
    for is_killed in (False, True, False, False):
        # Each time a process that knows nothing but what is stored.
        async with open_stores(stores.url) as process:
            page = await process.feed.after(await process.cursors.stored(READER) or START, 2)
            handled += page.events
            if not is_killed:
                await process.cursors.store(READER, page.goes_on_after)

    positions = [each.position for each in handled]
    first, second = positions[:2], positions[2:4]
    assert positions == [*first, *second, *second]
    assert sorted({*positions}) == [*first, *second]


async def test_a_cursor_is_the_readers_own_and_may_be_stored_again_or_moved_back(
    stores: Stores,
) -> None:
    assert await stores.cursors.stored(READER) is None

    for cursor in (7, 7, 5):
        await stores.cursors.store(READER, cursor)
    await stores.cursors.store("webhooks", 9)

    assert [await stores.cursors.stored(name) for name in (READER, "webhooks")] == [5, 9]


async def test_how_far_a_reader_is_behind_is_known(stores: Stores) -> None:
    end = await end_of(stores)
    assert await stores.feed.behind_s(end) == 0
    await stores.accept()
    await stores.pass_time(60)
    await stores.accept()

    assert 60 <= await stores.feed.behind_s(end) < 90
    assert await stores.feed.behind_s(await end_of(stores)) == 0


async def test_a_cursor_before_what_was_removed_says_so(stores: Stores) -> None:
    start = await end_of(stores)
    old, kept, newer = [await stores.accept() for _ in range(3)]
    after_old = (await stores.feed.after(start, 1)).goes_on_after
    await remove(stores, old.id)

    before, at = [await stores.feed.after(each, 1) for each in (start, after_old)]

    assert (before.is_complete, at.is_complete) == (False, True)
    assert [each.notification_id for each in before.events] == [kept.id]
    assert before == type(before)(at.events, at.goes_on_after, is_complete=False)
    rest = await stores.feed.after(before.goes_on_after, 5)
    assert rest.is_complete
    assert [each.notification_id for each in rest.events] == [newer.id]


async def test_what_was_removed_earlier_stays_told_when_older_events_are_removed(
    stores: Stores,
) -> None:
    start = await end_of(stores)
    older, newer, _ = [await stores.accept() for _ in range(3)]
    after_older = (await stores.feed.after(start, 1)).goes_on_after
    for each in (newer, older):
        await remove(stores, each.id)

    assert not (await stores.feed.after(after_older, 5)).is_complete


async def test_a_removal_in_the_midst_of_what_is_kept_is_told_to_whom_it_concerns(
    stores: Stores,
) -> None:
    start = await end_of(stores)
    await stores.accept()
    removed = await stores.accept()
    await remove(stores, removed.id)
    await remove(stores)

    page = await stores.feed.after(start, 5)

    assert (len(page.events), page.is_complete) == (1, False)
    assert (await stores.feed.after(page.goes_on_after, 5)).is_complete


async def test_where_all_was_removed_a_reader_is_told_once_and_misses_nothing_that_comes(
    stores: Stores,
) -> None:
    start = await end_of(stores)
    gone = await stores.accept_many(3)
    await remove(stores, *(each.id for each in gone))

    told = await stores.feed.after(start, 5)
    assert (told.events, told.is_complete) == ([], False)
    assert (await stores.feed.after(told.goes_on_after, 5)).is_complete
    # An id that was used again would be before the cursor.
    later = await stores.accept()
    assert [each.notification_id for each in await all_after(stores, told.goes_on_after)] == [
        later.id
    ]


async def test_a_reader_that_was_at_the_end_when_all_was_removed_misses_nothing(
    stores: Stores,
) -> None:
    gone = await stores.accept()
    end = await end_of(stores)
    await remove(stores, gone.id)
    later = await stores.accept()

    assert [each.notification_id for each in await all_after(stores, end)] == [later.id]


async def test_a_cursor_that_the_database_never_had_says_so_and_goes_on_from_the_end(
    stores: Stores,
) -> None:
    await stores.accept()
    end = await end_of(stores)

    beyond = await stores.feed.after(end + 5, 5)
    later = await stores.accept()

    assert (beyond.events, beyond.goes_on_after, beyond.is_complete) == ((), end, False)
    assert [each.notification_id for each in await all_after(stores, end)] == [later.id]


async def test_what_is_left_of_a_notification_without_its_record_is_told(stores: Stores) -> None:
    start = await end_of(stores)
    submission = await stores.accept()
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        await connection.exec_driver_sql("DELETE FROM notifications")

    (event,) = await all_after(stores, start)

    assert (event.notification_id, event.channel) == (submission.id, None)


async def test_only_one_of_those_that_read_the_same_moves_their_cursor(stores: Stores) -> None:
    cursors = stores.cursors

    first = await asyncio.gather(*(cursors.move(READER, None, 7) for _ in range(3)))
    then = await asyncio.gather(*(cursors.move(READER, 7, to) for to in (8, 9)))

    assert sorted(first) == [False, False, True]
    assert sorted(then) == [False, True]
    assert await cursors.stored(READER) == (8 if then[0] else 9)
    assert not await cursors.move(READER, 7, 10)
