"""How long a message is held before it goes back: its own matter."""

import asyncio
from uuid import uuid4

from notifier.notification.envelope import Envelope, Settlement
from notifier.notification.model import Channel, Lane
from notifier.queue.handling import FIRST_PAUSE_S, LONGEST_PAUSE_S, REMEMBERED, Backoff


def an_envelope() -> Envelope:
    return Envelope(id=uuid4(), channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)


async def held_s(
    backoff: Backoff, envelope: Envelope, settlement: Settlement = Settlement.REQUEUE
) -> float:
    """How long it is held, by the loop's clock."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await backoff.hold(envelope, settlement)
    return loop.time() - began_s


async def test_a_message_is_held_longer_each_time_whatever_becomes_of_others() -> None:
    backoff, refused = Backoff(), an_envelope()

    first_s = await held_s(backoff, refused)
    await held_s(backoff, an_envelope(), Settlement.ACK)
    second_s = await held_s(backoff, refused, Settlement.CRASHED)

    assert first_s >= FIRST_PAUSE_S * 0.9
    assert second_s >= 2 * FIRST_PAUSE_S * 0.9


async def is_held(holding: asyncio.Task[float]) -> bool:
    """Whether it waits for anything but its turn."""
    await asyncio.sleep(0)
    return not holding.done()


async def test_an_ack_is_not_held_and_ends_what_was_counted() -> None:
    backoff, message = Backoff(), an_envelope()
    await held_s(backoff, message)
    assert len(backoff.returns) == 1

    assert not await is_held(asyncio.create_task(held_s(backoff, message, Settlement.ACK)))

    assert not backoff.returns


async def test_an_end_lets_go_of_what_is_held_and_of_what_comes() -> None:
    backoff, message = Backoff(), an_envelope()
    for _ in range(3):
        await held_s(backoff, message)
    holding = asyncio.create_task(held_s(backoff, message))
    assert await is_held(holding)

    backoff.end()

    assert await holding < LONGEST_PAUSE_S
    assert not await is_held(asyncio.create_task(held_s(backoff, message)))


async def test_only_so_many_messages_are_remembered() -> None:
    backoff = Backoff()
    backoff.end()

    for _ in range(REMEMBERED + 10):
        await backoff.hold(an_envelope(), Settlement.REQUEUE)

    assert len(backoff.returns) == REMEMBERED
