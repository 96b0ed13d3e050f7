"""Caps: so many of one slot, whoever asks at the same time, and forgotten when it is long over."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from notifier.audience.caps import CapUse
from notifier.audience.category import Span
from tests.contract.store.stores import Stores, utc

USE = CapUse(
    service="orders",
    user_id="u-7",
    cap="news email",
    slot=utc("2026-07-01T00:00+02:00"),
    limit=3,
    per=Span.DAY,
)


async def spent(stores: Stores, use: CapUse) -> bool:
    """Whether a notification of its own got one."""
    return await stores.caps.spend(use, (await stores.accept()).id)


async def test_one_that_comes_again_is_counted_once(stores: Stores) -> None:
    one = replace(USE, limit=1)
    first, second = await stores.accept_many(2)

    assert [await stores.caps.spend(one, first.id) for _ in range(3)] == [True] * 3
    assert [await stores.caps.spend(one, second.id) for _ in range(2)] == [False] * 2
    assert await stores.caps.used(one) == 1


async def test_who_ask_at_the_same_time_get_no_more_than_there_are(stores: Stores) -> None:
    got = await asyncio.gather(*(spent(stores, USE) for _ in range(8)))

    assert sum(got) == await stores.caps.used(USE) == 3
    assert not await spent(stores, USE)


async def test_each_person_cap_and_slot_has_its_own(stores: Stores) -> None:
    assert await stores.caps.used(USE) == 0
    one = replace(USE, limit=1)
    others = (
        replace(one, service="payments"),
        replace(one, user_id="u-8"),
        replace(one, cap="news sms"),
        replace(one, slot=one.slot + timedelta(days=1)),
    )

    assert [await spent(stores, each) for each in (one, *others)] == [True] * 5
    assert [await spent(stores, each) for each in (one, *others)] == [False] * 5


async def test_a_limit_that_was_raised_counts_at_once(stores: Stores) -> None:
    assert await spent(stores, replace(USE, limit=1))
    assert not await spent(stores, replace(USE, limit=1))
    assert await spent(stores, replace(USE, limit=2))


async def test_what_was_counted_in_slots_long_over_is_forgotten(stores: Stores) -> None:
    now = await stores.now()
    for days in (0, 6, 10, 40):
        await spent(stores, replace(USE, slot=now - timedelta(days=days), limit=1))

    assert await stores.caps.purge() == 2
    assert await stores.caps.purge() == 0
    assert not await spent(stores, replace(USE, slot=now - timedelta(days=6), limit=1))
