import asyncio
from typing import cast

import pytest

from notifier.errors import PublishError, QueueUnavailableError, StoreUnavailableError
from notifier.ports import DeliveryStore, Queue
from notifier.publishing import MANY, Publisher
from tests.contract.worker.bench import LIMIT_S, Bench, within

WORK = "email_notifications"


def a_publisher(
    bench: Bench,
    *,
    max_batch: int = 256,
    max_waiting: int = 5_000,
    patience_s: float = 4,
    crowd: int = 1_000,
    hold_back_s: float = 0.25,
) -> Publisher:
    return Publisher(
        cast(DeliveryStore, bench.store),
        cast(Queue, bench.queue),
        max_batch=max_batch,
        max_waiting=max_waiting,
        patience_s=patience_s,
        crowd=crowd,
        hold_back_s=hold_back_s,
    )


async def due(bench: Bench) -> int:
    """How many notifications a relay finds, long after their API should have published them."""
    await bench.stores.pass_time(30)
    return len(await bench.stores.deliveries.take_due(100, hold_s=0))


async def test_what_is_offered_is_published_and_marked(bench: Bench) -> None:
    envelopes = [await bench.accept() for _ in range(3)]

    bench.publisher.offer(envelopes)
    await bench.publisher.drain(LIMIT_S)

    assert bench.memory.ready(WORK) == 3
    assert await due(bench) == 0


async def test_offering_never_waits_and_leaves_what_has_no_room_to_the_relay(
    bench: Bench,
) -> None:
    publisher = a_publisher(bench, max_waiting=2)
    envelopes = [await bench.accept() for _ in range(5)]

    publisher.offer(envelopes)
    await publisher.drain(LIMIT_S)

    assert bench.memory.ready(WORK) == 2
    assert await due(bench) == 3


async def test_a_crowd_holds_back_who_accepts_until_it_is_published(bench: Bench) -> None:
    publisher = a_publisher(bench, crowd=2, hold_back_s=LIMIT_S)
    hold = bench.queue.hold("publish")
    publisher.offer([await bench.accept()])
    await within(hold.reached.wait())
    publisher.offer([await bench.accept()])
    await within(publisher.keep_up())

    publisher.offer([await bench.accept()])
    held_back = asyncio.create_task(publisher.keep_up())
    await asyncio.sleep(0)
    assert not held_back.done()

    hold.released.set()
    await within(held_back)
    await publisher.drain(LIMIT_S)


async def test_a_broker_that_hangs_holds_nobody_back_for_long(bench: Bench) -> None:
    publisher = a_publisher(bench, crowd=1, hold_back_s=0.01)
    hold = bench.queue.hold("publish")
    publisher.offer([await bench.accept()])
    await within(hold.reached.wait())
    publisher.offer([await bench.accept()])

    await within(publisher.keep_up())

    assert not hold.released.is_set()
    hold.released.set()
    await publisher.drain(LIMIT_S)


async def test_what_waited_too_long_for_its_turn_is_left_to_the_relay(bench: Bench) -> None:
    publisher = a_publisher(bench, patience_s=0)
    envelope = await bench.accept()

    publisher.offer([envelope])
    await publisher.drain(LIMIT_S)

    assert bench.memory.ready(WORK) == 0
    assert await due(bench) == 1
    assert await publisher.publish([envelope]) == 1


@pytest.mark.parametrize(
    "error", [PublishError("no"), QueueUnavailableError("away"), ValueError("a defect")]
)
async def test_a_broker_that_is_away_leaves_all_to_the_relay(
    bench: Bench, error: Exception
) -> None:
    envelopes = [await bench.accept() for _ in range(3)]
    bench.queue.failures["publish"].append(error)

    assert await bench.publisher.publish(envelopes) == 0
    assert await due(bench) == 3


async def test_only_what_the_broker_does_not_confirm_is_left_to_the_relay(bench: Bench) -> None:
    envelopes = [await bench.accept() for _ in range(3)]
    bench.memory.limit(WORK, 2)

    assert await bench.publisher.publish(envelopes) == 2
    assert await due(bench) == 1


async def test_what_cannot_be_marked_is_left_to_the_relay(bench: Bench) -> None:
    envelope = await bench.accept()
    bench.store.failures["mark_published"].append(StoreUnavailableError("away"))

    assert await bench.publisher.publish([envelope]) == 0
    assert await due(bench) == 1


async def test_what_is_offered_while_a_batch_is_under_way_goes_together(bench: Bench) -> None:
    publisher = a_publisher(bench, max_batch=3)
    hold = bench.queue.hold("publish")
    envelopes = [await bench.accept() for _ in range(5)]

    for envelope in envelopes:
        publisher.offer([envelope])
        await within(hold.reached.wait())
    assert bench.queue.calls.qsize() == 1

    hold.released.set()
    await publisher.drain(LIMIT_S)
    assert bench.queue.calls.qsize() == 3
    assert bench.memory.ready(WORK) == 5


async def test_many_waiting_go_beside_a_batch_that_takes_long(bench: Bench) -> None:
    hold = bench.queue.hold("publish")
    envelopes = [await bench.accept() for _ in range(3 + 2 * MANY)]

    bench.publisher.offer(envelopes[:1])
    await within(hold.reached.wait())
    for envelope in envelopes[1:]:
        bench.publisher.offer([envelope])
    await asyncio.sleep(0)

    assert bench.queue.calls.qsize() == 2
    hold.released.set()
    await bench.publisher.drain(LIMIT_S)
    assert await due(bench) == 0


async def test_draining_gives_up_in_time_and_leaves_the_rest_to_the_relay(bench: Bench) -> None:
    envelope = await bench.accept()
    bench.queue.hold("publish")

    bench.publisher.offer([envelope])
    await within(bench.publisher.drain(0.01))

    assert await due(bench) == 1


async def test_draining_nothing_returns_at_once(bench: Bench) -> None:
    await within(bench.publisher.drain(3_600))
