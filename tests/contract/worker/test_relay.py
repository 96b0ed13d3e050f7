import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast
from uuid import uuid4

import pytest
from sqlalchemy import select

from notifier.delivery.duties import DeliveryDuties, RelayPace
from notifier.delivery.retry import RetryPolicy
from notifier.duty import Purgeable, purging
from notifier.errors import QueueUnavailableError, StoreUnavailableError
from notifier.idempotency import Applied
from notifier.intake.ports import Submission
from notifier.intake.windows import WINDOWS, Window
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane, OnUnknown, Status
from notifier.notification.transitions import FAIL, REPLAY
from notifier.store.notification.tables import notifications
from notifier.worker.consumers import Consumers
from notifier.worker.relay import Relay
from tests.clock import SystemClock
from tests.contract.store.stores import LOST_AFTER_S, a_submission, envelope_of, ids
from tests.contract.worker.bench import LIMIT_S, Bench, within

WORK, DEAD = "email_notifications", "email_notifications.dead"
OFTEN = RelayPace(due_every_s=0.01, rescue_every_s=0.01, repair_every_s=0.01)
NEVER_S = 3_600
HELD = 40


@asynccontextmanager
async def relaying(
    bench: Bench, pace: RelayPace, windows: Mapping[Lane, Window] = WINDOWS
) -> AsyncIterator[DeliveryDuties]:
    duties = bench.duties(pace, windows=windows)
    keys = purging(cast(Purgeable, bench.store), "keys", every_s=pace.forget_every_s)
    running = asyncio.create_task(Relay([*duties.all(), keys]).run())
    try:
        yield duties
        assert not running.done()
    finally:
        # A cancelled connecting leaves aiosqlite's thread behind, which outlives the test's loop.
        await bench.store.leave(StoreUnavailableError("away"))
        running.cancel()
        await asyncio.wait({running})


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await condition():  # noqa: ASYNC110  nothing signals what a queue holds
            await asyncio.sleep(0.005)


async def test_what_its_api_did_not_publish_is_published_once(bench: Bench) -> None:
    for _ in range(3):
        await bench.accept()
    duties = bench.duties()

    await duties.publish_due()
    assert bench.memory.ready(WORK) == 0
    await bench.stores.pass_time(10)
    await duties.publish_due()
    await bench.stores.pass_time(60)
    await duties.publish_due()

    assert bench.memory.ready(WORK) == 3


async def test_what_two_relays_publish_at_once_is_published_once(bench: Bench) -> None:
    for _ in range(20):
        await bench.accept()
    await bench.stores.pass_time(10)

    await asyncio.gather(*(bench.duties().publish_due() for _ in range(4)))

    assert bench.memory.ready(WORK) == 20


async def test_whatever_was_published_says_that_there_may_be_more(bench: Bench) -> None:
    for _ in range(3):
        await bench.accept()
    await bench.stores.pass_time(10)
    duties = bench.duties(RelayPace(batch=2))

    assert await duties.publish_due()
    assert await duties.publish_due()
    assert not await duties.publish_due()
    assert bench.memory.ready(WORK) == 3


async def test_what_could_not_be_published_comes_up_again_after_its_hold(bench: Bench) -> None:
    await bench.accept()
    await bench.stores.pass_time(10)
    bench.queue.failures["publish"].append(QueueUnavailableError("away"))
    duties = bench.duties()

    await duties.publish_due()
    await duties.publish_due()
    assert bench.memory.ready(WORK) == 0
    await bench.stores.pass_time(10.1)
    await duties.publish_due()

    assert bench.memory.ready(WORK) == 1


async def test_a_broker_that_is_away_is_given_nothing_to_hold(bench: Bench) -> None:
    await bench.accept()
    await bench.stores.pass_time(10)
    bench.queue.is_away = QueueUnavailableError("away")
    duties = bench.duties()

    with pytest.raises(QueueUnavailableError):
        await duties.publish_due()
    bench.queue.is_away = None
    await duties.publish_due()

    assert bench.memory.ready(WORK) == 1


async def test_a_broker_that_is_away_is_given_no_letters_to_hold(bench: Bench) -> None:
    await bench.stores.ended(FAIL)
    await bench.stores.pass_time(10)
    bench.queue.is_away = QueueUnavailableError("away")
    duties = bench.duties()

    with pytest.raises(QueueUnavailableError):
        await duties.bury()
    bench.queue.is_away = None
    await duties.bury()

    assert bench.memory.ready(DEAD) == 1


async def test_a_plain_backlog_is_left_alone_however_old(bench: Bench) -> None:
    envelopes = [await bench.accept() for _ in range(12)]
    await bench.publisher.publish(envelopes)
    await bench.stores.pass_time(10 * LOST_AFTER_S)
    duties = bench.duties()

    await duties.publish_lost()
    await duties.publish_due()

    assert bench.memory.ready(WORK) == 12


async def test_a_purged_queue_is_filled_again(bench: Bench) -> None:
    envelopes = [await bench.accept() for _ in range(12)]
    await bench.publisher.publish(envelopes)
    await bench.memory.move(WORK, "sms_notifications")
    duties = bench.duties()

    await duties.publish_lost()
    await duties.publish_due()
    assert bench.memory.ready(WORK) == 0
    await bench.stores.pass_time(11)
    for _ in range(3):
        await duties.publish_lost()
        await duties.publish_due()

    assert bench.memory.ready(WORK) == 12


async def test_what_consumers_might_hold_is_published_again_once_it_is_lost_for_long(
    bench: Bench,
) -> None:
    envelopes = [await bench.accept() for _ in range(12)]
    await bench.publisher.publish(envelopes)
    await bench.memory.move(WORK, "sms_notifications")
    taken: asyncio.Queue[Envelope] = asyncio.Queue()

    async def take(envelope: Envelope) -> Settlement:
        taken.put_nowait(envelope)
        return Settlement.ACK

    consumers = await bench.memory.subscribe(Channel.EMAIL, Lane.NORMAL, take, consumers=12)
    duties = bench.duties()

    await bench.stores.pass_time(LOST_AFTER_S - 1)
    await duties.publish_lost()
    await duties.publish_due()
    assert taken.empty()
    await bench.stores.pass_time(2)
    while await duties.publish_lost():
        pass
    again = [await within(taken.get()) for _ in envelopes]
    await consumers.close()

    assert ids(again) == ids(envelopes)
    assert taken.empty()


async def test_of_what_waits_at_the_gate_few_messages_are_doubled_and_no_send(
    bench: Bench,
) -> None:
    envelopes = [await bench.accept() for _ in range(HELD)]
    await bench.publisher.publish(envelopes)
    await bench.stores.providers.pause("scripted", reason="maintenance")
    consumers = Consumers(bench.memory, bench.deliverer(), {Channel.EMAIL: HELD})
    duties = bench.duties()

    await consumers.start()
    await until(lambda: is_ready(bench, 0))
    for _ in range(5):
        await bench.stores.pass_time(10 * LOST_AFTER_S)
        while await duties.publish_lost():
            pass
    doubled = bench.memory.ready(WORK)
    await bench.stores.providers.resume("scripted")
    await until(lambda: is_ready(bench, 0))
    await consumers.stop(LIMIT_S)

    assert 0 < doubled <= RelayPace().suspects
    assert Counter(each.id for each in bench.adapter.messages) == Counter(ids(envelopes))


async def test_what_is_urgent_waits_for_no_other_lane_that_is_due(bench: Bench) -> None:
    for _ in range(5):
        await bench.accept(in_lane(Lane.BULK))
    await bench.accept(in_lane(Lane.HIGH))
    await bench.stores.pass_time(10)
    hold = bench.queue.hold("publish")

    async with relaying(bench, OFTEN):
        await within(hold.reached.wait())
        await bench.queue.called("publish", "publish")
        hold.released.set()
        await until(lambda: is_ready(bench, 1, f"{WORK}.high"))


def in_lane(lane: Lane, service: str = "orders") -> Submission:
    return replace(a_submission(service=service), lane=lane)


async def test_a_queue_with_much_due_is_filled_up_to_its_window_and_on_as_it_empties(
    bench: Bench,
) -> None:
    for _ in range(20):
        await bench.accept()
    await bench.stores.pass_time(10)
    taken: asyncio.Queue[Envelope] = asyncio.Queue()

    async def take(envelope: Envelope) -> Settlement:
        taken.put_nowait(envelope)
        return Settlement.ACK

    window = Window(4, unattended=4, look_every_s=0.001)
    duties = bench.duties(windows=dict.fromkeys(Lane, window))
    while await duties.publish_due():
        pass
    assert 3 <= bench.memory.ready(WORK) <= 4

    never = RelayPace(due_every_s=NEVER_S, rescue_every_s=NEVER_S, repair_every_s=NEVER_S)
    async with relaying(bench, never, windows=dict.fromkeys(Lane, window)):
        await bench.queue.called("depth")
        assert bench.memory.ready(WORK) <= 4
        consumers = await bench.memory.subscribe(Channel.EMAIL, Lane.NORMAL, take, consumers=1)
        everything = {(await within(taken.get())).id for _ in range(20)}
        await consumers.close()

    assert len(everything) == 20


async def test_the_leases_of_a_dead_worker_are_rescued_and_published_at_once(
    bench: Bench,
) -> None:
    envelope = await bench.accept()
    await bench.publisher.publish([envelope])
    assert await bench.stores.claim(envelope, by="dead")
    await bench.memory.move(WORK, DEAD)
    never = RelayPace(due_every_s=NEVER_S, rescue_every_s=NEVER_S, repair_every_s=NEVER_S)

    async def has_looked_everywhere() -> bool:
        counts = bench.store.counts
        has_begun = counts["due_queues"] == len(Lane) and counts["rescue"] == 1
        return has_begun and not bench.store.under_way

    async with relaying(bench, never) as duties:
        await until(has_looked_everywhere)
        assert await bench.stores.upkeep.end_leases("dead") == 1
        duties.nudge()
        await until(lambda: is_ready(bench, 1))

    found = await bench.stores.get(envelope.id)
    assert (found.status, found.outcome_unknown) == (Status.PENDING, True)


async def is_ready(bench: Bench, count: int, queue: str = WORK) -> bool:
    return bench.memory.ready(queue) == count


async def test_a_channel_that_holds_fails_what_is_rescued_and_buries_it(bench: Bench) -> None:
    bench.policy = RetryPolicy(on_unknown=OnUnknown.HOLD)
    envelope = await bench.accept()
    await bench.stores.claim(envelope, by="dead")
    await bench.stores.upkeep.end_leases("dead")
    duties = bench.duties()

    await duties.rescue()
    await bench.stores.pass_time(10)
    await duties.bury()
    await duties.bury()

    assert await bench.stores.status(envelope.id) is Status.FAILED
    assert bench.memory.ready(DEAD) == 1


async def test_a_failure_that_its_worker_did_not_bury_is_buried_once(bench: Bench) -> None:
    await bench.stores.ended(FAIL)
    duties = bench.duties()

    await duties.bury()
    assert bench.memory.ready(DEAD) == 0
    for _ in range(3):
        await bench.stores.pass_time(60)
        await duties.bury()

    assert bench.memory.ready(DEAD) == 1


async def test_the_dead_letters_of_replayed_notifications_are_swept_and_no_others(
    bench: Bench,
) -> None:
    replayed, failed = await bench.stores.ended(FAIL), await bench.stores.ended(FAIL)
    await bench.stores.pass_time(10)
    duties = bench.duties()
    await duties.bury()
    bench.memory.inject(DEAD, b"not ours")
    moved = await bench.stores.orders.move(REPLAY, replayed.id, service=None)

    await duties.sweep()
    await bench.stores.pass_time(60)
    await duties.sweep()

    assert isinstance(moved, Applied)
    assert bench.memory.ready(DEAD) == 2
    assert await bench.stores.status(failed.id) is Status.FAILED


async def test_a_letter_that_no_notification_stands_for_stays_and_is_counted(
    bench: Bench,
) -> None:
    await bench.stores.ended(FAIL)
    lost = [envelope_of(a_submission()) for _ in range(2)]
    await bench.memory.bury(lost)
    await bench.stores.pass_time(10)
    duties = bench.duties()
    await duties.bury()

    for _ in range(2):
        await duties.publish_lost()
        await duties.sweep()

    account = await bench.stores.queries.account(service=None)
    assert account.unknown_messages == len(lost)
    assert bench.memory.ready(DEAD) == account.by_status[Status.FAILED] + len(lost)


async def test_what_waits_past_its_time_expires(bench: Bench) -> None:
    expires_at = SystemClock().now() + timedelta(seconds=30)
    envelope = await bench.accept(a_submission(expires_at=expires_at))
    duties = bench.duties()

    await duties.expire()
    assert await bench.stores.status(envelope.id) is Status.PENDING
    await bench.stores.pass_time(31)
    await duties.expire()

    assert await bench.stores.status(envelope.id) is Status.EXPIRED


@pytest.mark.parametrize(
    "error", [StoreUnavailableError("away"), QueueUnavailableError("away"), ValueError("a defect")]
)
async def test_a_running_relay_goes_on_when_what_was_away_is_back(
    bench: Bench, error: Exception
) -> None:
    await bench.accept()
    await bench.stores.pass_time(10)
    bench.store.is_away = bench.queue.is_away = error

    async with relaying(bench, OFTEN):
        for _ in range(5):
            await bench.store.called("rescue")
        bench.store.is_away = bench.queue.is_away = None
        await until(lambda: is_ready(bench, 1))


async def test_one_duty_that_hangs_keeps_no_other_waiting(bench: Bench) -> None:
    await bench.accept()
    await bench.stores.pass_time(10)
    hold = bench.store.hold("rescue")

    async with relaying(bench, OFTEN):
        await within(hold.reached.wait())
        await until(lambda: is_ready(bench, 1))


DUTIES = (
    "due_queues",
    "rescue",
    "expire",
    "take_unburied",
    "take_lost",
    "channels_with_stale_dead_letters",
    "purge",
)


async def test_a_running_relay_sees_to_all_its_duties_again_and_again(bench: Bench) -> None:
    always = replace(OFTEN, forget_every_s=0.01)
    async with relaying(bench, always):
        for _ in range(3):
            await bench.store.called(*DUTIES)


async def test_a_running_relay_publishes_what_a_queue_lost(bench: Bench) -> None:
    await bench.publisher.publish([await bench.accept()])
    await bench.memory.move(WORK, "sms_notifications")
    await bench.stores.pass_time(LOST_AFTER_S + 1)

    async with relaying(bench, OFTEN):
        await until(lambda: is_ready(bench, 1))


async def test_an_unknown_worker_leaves_no_leases_to_end(bench: Bench) -> None:
    assert await bench.stores.upkeep.end_leases(str(uuid4())) == 0


async def is_in_broker(bench: Bench, envelope: Envelope) -> bool:
    """Whether the record says so."""
    found = select(notifications.c.published_at).where(notifications.c.id == envelope.id)
    return await bench.stores.database.read(lambda each: each.scalar(found)) is not None


async def gave_up(bench: Bench, envelope: Envelope) -> None:
    """Do as the broker does with a message at its delivery limit."""
    assert await bench.publisher.publish([envelope]) == 1
    await bench.memory.move(WORK, DEAD)


async def test_what_the_broker_gave_up_is_brought_back_and_its_letter_removed(
    bench: Bench,
) -> None:
    waiting = await bench.accept()
    await bench.publisher.publish([waiting])
    await gave_up(bench, await bench.accept())

    async with relaying(bench, OFTEN):

        async def is_back() -> bool:
            return (bench.memory.ready(WORK), bench.memory.ready(DEAD)) == (2, 0)

        await until(is_back)


async def test_a_message_that_the_broker_gives_up_again_and_again_comes_back_each_time(
    bench: Bench,
) -> None:
    envelope = await bench.accept()

    async def is_back() -> bool:
        is_there = (bench.memory.ready(WORK), bench.memory.ready(DEAD)) == (1, 0)
        return is_there and await is_in_broker(bench, envelope)

    await gave_up(bench, envelope)
    async with relaying(bench, OFTEN):
        for _ in range(3):
            await until(is_back)
            await bench.memory.move(WORK, DEAD)
        await until(is_back)

    assert await bench.stores.status(envelope.id) is Status.PENDING


async def test_letters_that_are_no_news_are_left_in_peace(bench: Bench) -> None:
    await bury_one(bench)
    duties = bench.duties()
    swept = 0

    async def sweep() -> None:
        nonlocal swept
        before = bench.store.counts["recall"]
        await duties.publish_lost()
        await duties.sweep()
        swept += bench.store.counts["recall"] - before

    for _ in range(3):
        await sweep()
    assert swept == 1

    await bury_one(bench)
    async with asyncio.timeout(LIMIT_S):
        while swept < 2:
            await sweep()
    await sweep()
    assert swept == 2

    await duties.forget_letters()
    async with asyncio.timeout(LIMIT_S):
        while swept < 3:
            await sweep()


async def bury_one(bench: Bench) -> None:
    claimed = await bench.stores.ended(FAIL)
    await bench.publisher.bury([envelope_of(claimed, 1)])
