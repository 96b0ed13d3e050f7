import asyncio
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from notifier.errors import PublishError, QueueUnavailableError, StoreUnavailableError
from notifier.intake.ports import Publications
from notifier.intake.publishing import MANY, Publisher
from notifier.intake.windows import Window
from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import Queue
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import LIMIT_S, Bench, within

WORK = "email_notifications"
NORMAL = (Channel.EMAIL, Lane.NORMAL)


WIDE = Window(1_000_000)


def a_publisher(
    bench: Bench,
    *,
    max_batch: int = 256,
    max_waiting: int = 5_000,
    patience_s: float = 4,
    crowd: int = 1_000,
    hold_back_s: float = 0.25,
    window: Window = WIDE,
) -> Publisher:
    return Publisher(
        cast(Publications, bench.store),
        cast(Queue, bench.queue),
        max_batch=max_batch,
        max_waiting=max_waiting,
        patience_s=patience_s,
        crowd=crowd,
        hold_back_s=hold_back_s,
        windows=dict.fromkeys(Lane, window),
    )


async def due(bench: Bench) -> int:
    """How many notifications a relay finds, long after their API should have published them."""
    await bench.stores.pass_time(30)
    return len(await bench.stores.upkeep.take_due(100, hold_s=0))


async def test_what_is_offered_is_published_and_marked(bench: Bench) -> None:
    envelopes = [await bench.accept() for _ in range(3)]

    bench.publisher.offer(envelopes, service="orders")
    await bench.publisher.drain(LIMIT_S)

    assert bench.memory.ready(WORK) == 3
    assert await due(bench) == 0


async def test_offering_never_waits_and_leaves_what_has_no_room_to_the_relay(
    bench: Bench,
) -> None:
    publisher = a_publisher(bench, max_waiting=2)
    envelopes = [await bench.accept() for _ in range(5)]

    publisher.offer(envelopes, service="orders")
    await publisher.drain(LIMIT_S)

    assert bench.memory.ready(WORK) == 2
    assert await due(bench) == 3


async def test_a_second_service_finds_room_in_a_line_that_the_first_has_filled(
    bench: Bench,
) -> None:
    publisher = a_publisher(bench, max_waiting=4, max_batch=1, patience_s=LIMIT_S)
    hold = bench.queue.hold("publish")
    publisher.offer(await of(bench, "shop", 1), service="shop")
    await within(hold.reached.wait())

    for service in ("shop", "codes", "shop"):
        publisher.offer(await of(bench, service, 9), service=service)
    hold.released.set()
    await publisher.drain(LIMIT_S)

    assert bench.memory.ready(WORK) == 1 + 4 + 2


async def test_a_crowd_holds_back_who_accepts_until_it_is_published(bench: Bench) -> None:
    publisher = a_publisher(bench, crowd=2, hold_back_s=LIMIT_S)
    hold = bench.queue.hold("publish")
    publisher.offer([await bench.accept()], service="orders")
    await within(hold.reached.wait())
    publisher.offer([await bench.accept()], service="orders")
    await within(publisher.keep_up("orders", [NORMAL]))

    publisher.offer([await bench.accept()], service="orders")
    held_back = asyncio.create_task(publisher.keep_up("orders", [NORMAL]))
    await asyncio.sleep(0)
    assert not held_back.done()

    hold.released.set()
    await within(held_back)
    await publisher.drain(LIMIT_S)


async def test_a_broker_that_hangs_holds_nobody_back_for_long(bench: Bench) -> None:
    publisher = a_publisher(bench, crowd=1, hold_back_s=0.01)
    hold = bench.queue.hold("publish")
    publisher.offer([await bench.accept()], service="orders")
    await within(hold.reached.wait())
    publisher.offer([await bench.accept()], service="orders")

    await within(publisher.keep_up("orders", [NORMAL]))

    assert not hold.released.is_set()
    hold.released.set()
    await publisher.drain(LIMIT_S)


async def test_what_waited_too_long_for_its_turn_is_left_to_the_relay(bench: Bench) -> None:
    publisher = a_publisher(bench, patience_s=0)
    envelope = await bench.accept()

    publisher.offer([envelope], service="orders")
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
        publisher.offer([envelope], service="orders")
        await within(hold.reached.wait())
    assert bench.queue.calls.qsize() == 1

    hold.released.set()
    await publisher.drain(LIMIT_S)
    assert bench.queue.calls.qsize() == 3
    assert bench.memory.ready(WORK) == 5


async def test_many_waiting_go_beside_a_batch_that_takes_long(bench: Bench) -> None:
    hold = bench.queue.hold("publish")
    envelopes = [await bench.accept() for _ in range(3 + 2 * MANY)]

    bench.publisher.offer(envelopes[:1], service="orders")
    await within(hold.reached.wait())
    for envelope in envelopes[1:]:
        bench.publisher.offer([envelope], service="orders")
    await asyncio.sleep(0)

    assert bench.queue.calls.qsize() == 2
    hold.released.set()
    await bench.publisher.drain(LIMIT_S)
    assert await due(bench) == 0


async def test_draining_gives_up_in_time_and_leaves_the_rest_to_the_relay(bench: Bench) -> None:
    envelope = await bench.accept()
    bench.queue.hold("publish")

    bench.publisher.offer([envelope], service="orders")
    await within(bench.publisher.drain(0.01))

    assert await due(bench) == 1


async def test_draining_nothing_returns_at_once(bench: Bench) -> None:
    await within(bench.publisher.drain(3_600))


# --- lanes, turns and windows -----------------------------------------------------------------


@dataclass(slots=True)
class Taker:
    """Consumes one queue, one message at a time, each when it is let."""

    taken: asyncio.Queue[Envelope] = field(default_factory=asyncio.Queue)
    let: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def __call__(self, envelope: Envelope) -> Settlement:
        self.taken.put_nowait(envelope)
        await self.let.acquire()
        return Settlement.ACK


async def of(bench: Bench, service: str, count: int, lane: Lane = Lane.NORMAL) -> list[Envelope]:
    """Let a service's notifications be accepted."""
    return [
        await bench.accept(replace(a_submission(service=service), lane=lane)) for _ in range(count)
    ]


async def test_an_urgent_one_waits_for_no_other_lane(bench: Bench) -> None:
    publisher = a_publisher(bench)
    bulk, high = await of(bench, "orders", 40, Lane.BULK), await of(bench, "orders", 1, Lane.HIGH)
    hold = bench.queue.hold("publish")
    publisher.offer(bulk, service="orders")
    await within(hold.reached.wait())

    publisher.offer(high, service="orders")
    await asyncio.sleep(0)
    await within(bench.queue.called("publish"))

    hold.released.set()
    await publisher.drain(LIMIT_S)
    assert await due(bench) == 0


async def test_services_take_turns(bench: Bench) -> None:
    publisher = a_publisher(bench, window=Window(8, unattended=8, look_every_s=0.001), max_batch=1)
    many, few = await of(bench, "shop", 20), await of(bench, "codes", 2)
    publisher.offer(many, service="shop")
    publisher.offer(few, service="codes")

    taker = Taker(let=asyncio.Semaphore(22))
    consumers = await bench.memory.subscribe(*NORMAL, taker, consumers=1)
    await publisher.drain(LIMIT_S)
    order = [(await within(taker.taken.get())).id for _ in range(22)]
    await consumers.close()

    assert max(order.index(each.id) for each in few) < 5


async def test_a_queue_is_filled_up_to_its_window_and_on_as_it_empties(bench: Bench) -> None:
    publisher = a_publisher(bench, window=Window(8, unattended=8, look_every_s=0.001))
    envelopes = await of(bench, "shop", 30)
    publisher.offer(envelopes, service="shop")
    await within(ready(bench, 5))
    for _ in range(3):
        await bench.queue.called("depth")
    assert bench.memory.ready(WORK) <= 8

    taker = Taker(let=asyncio.Semaphore(30))
    consumers = await bench.memory.subscribe(*NORMAL, taker, consumers=1)
    taken = {(await within(taker.taken.get())).id for _ in envelopes}
    await consumers.close()
    # The marks of the last ones may be on their way yet.
    await publisher.drain(LIMIT_S)

    assert taken == {each.id for each in envelopes}
    assert await due(bench) == 0


async def ready(bench: Bench, count: int) -> None:
    while bench.memory.ready(WORK) < count:  # noqa: ASYNC110  nothing signals what a queue holds
        await asyncio.sleep(0.001)


async def test_a_full_queue_holds_nobody_back_and_no_other_queue_up(bench: Bench) -> None:
    publisher = a_publisher(
        bench,
        window=Window(1, unattended=1, look_every_s=0.001),
        crowd=1,
        hold_back_s=3_600,
        max_waiting=10,
    )
    publisher.offer(await of(bench, "shop", 9), service="shop")
    await bench.queue.called("publish", "depth")
    urgent = await of(bench, "shop", 1, Lane.HIGH)

    publisher.offer(urgent, service="shop")
    await bench.queue.called("publish")

    await within(publisher.keep_up("shop", [NORMAL, (Channel.EMAIL, Lane.HIGH)]))
    await within(publisher.drain(3_600))
    assert await due(bench) == 8


async def test_a_depth_that_nobody_knows_leaves_it_to_publishing(bench: Bench) -> None:
    publisher = a_publisher(bench, window=Window(2, unattended=2))
    bench.queue.failures["depth"].append(QueueUnavailableError("away"))

    publisher.offer(await of(bench, "shop", 2), service="shop")
    await publisher.drain(LIMIT_S)

    assert bench.memory.ready(WORK) == 2


async def test_only_who_crowds_a_line_is_held_back(bench: Bench) -> None:
    publisher = a_publisher(bench, crowd=10, hold_back_s=LIMIT_S, max_waiting=20, max_batch=1)
    hold = bench.queue.hold("publish")
    publisher.offer(await of(bench, "shop", 1), service="shop")
    await within(hold.reached.wait())
    publisher.offer(await of(bench, "shop", 30), service="shop")
    publisher.offer(await of(bench, "codes", 1), service="codes")

    await within(publisher.keep_up("codes", [NORMAL]))
    await within(publisher.keep_up("shop", [(Channel.EMAIL, Lane.HIGH)]))
    held_back = asyncio.create_task(publisher.keep_up("shop", [NORMAL]))
    await asyncio.sleep(0)
    assert not held_back.done()

    hold.released.set()
    await within(held_back)
    await publisher.drain(LIMIT_S)
    # What had no room is shop's own.
    assert await due(bench) == 10
