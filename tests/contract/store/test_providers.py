import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from notifier.idempotency import Applied, Idempotency, Remembered
from notifier.notification.transitions import FAIL, SNOOZE, SUCCEED
from notifier.providers.account import ProviderState
from notifier.store.providers import pacing
from notifier.store.providers.pacing import Turn, Wish
from tests.contract.store.stores import A_FAULT, Stores, a_submission, an_end, open_stores


async def state(stores: Stores, name: str = "sendgrid") -> ProviderState:
    (found,) = [each for each in await stores.providers.states() if each.name == name]
    return found


async def open_it(stores: Stores, for_s: float = 30) -> None:
    await stores.providers.open("sendgrid", reason="401", for_s=for_s)


async def test_a_provider_without_trouble_has_no_state(stores: Stores) -> None:
    assert await stores.providers.states() == []
    await stores.providers.close("sendgrid")
    await stores.providers.resume("sendgrid")
    assert not await stores.providers.probe("sendgrid", lease_s=60)
    assert await stores.providers.states() == []


async def test_an_open_breaker_says_since_when_why_and_for_how_long(stores: Stores) -> None:
    await open_it(stores)
    await stores.pass_time(10)

    opened = await state(stores)

    assert opened.opened_at is not None
    assert opened.closed_for_s == pytest.approx(20, abs=2)
    assert (opened.reason, opened.trips, opened.is_paused) == ("401", 1, False)


async def test_a_breaker_whose_time_has_come_is_still_open_and_may_be_probed(
    stores: Stores,
) -> None:
    await open_it(stores)
    assert not await stores.providers.probe("sendgrid", lease_s=60)
    await stores.pass_time(31)

    due = await state(stores)

    assert due.opened_at is not None
    assert due.closed_for_s == 0
    assert await stores.providers.probe("sendgrid", lease_s=60)


async def test_workers_that_open_a_breaker_together_count_one_trip(store_url: str) -> None:
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(open_stores(store_url)) for _ in range(8)]

        await asyncio.gather(*map(open_it, workers))

        assert (await state(workers[0])).trips == 1


async def test_a_failed_probe_counts_a_trip_and_keeps_the_time_of_opening(stores: Stores) -> None:
    await open_it(stores)
    await stores.pass_time(31)
    first = await state(stores)
    assert await stores.providers.probe("sendgrid", lease_s=60)

    await open_it(stores, for_s=60)
    await open_it(stores, for_s=60)

    again = await state(stores)
    assert (again.trips, again.opened_at) == (2, first.opened_at)
    assert again.closed_for_s == pytest.approx(60, abs=2)
    assert not await stores.providers.probe("sendgrid", lease_s=60)


async def test_a_late_failure_does_not_shorten_an_open_breaker(stores: Stores) -> None:
    await open_it(stores, for_s=600)

    await open_it(stores, for_s=30)

    assert (await state(stores)).closed_for_s == pytest.approx(600, abs=2)


async def test_of_many_workers_one_probes_until_its_lease_ends(store_url: str) -> None:
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(open_stores(store_url)) for _ in range(8)]
        await open_it(workers[0])
        await workers[0].pass_time(31)

        async def probes() -> int:
            asked = (each.providers.probe("sendgrid", lease_s=60) for each in workers)
            return sum(await asyncio.gather(*asked))

        assert await probes() == 1
        await workers[0].pass_time(55)
        assert await probes() == 0
        await workers[0].pass_time(6)
        assert await probes() == 1


async def test_a_probe_that_is_given_back_is_up_for_the_next_and_counts_no_trip(
    stores: Stores,
) -> None:
    await open_it(stores)
    await stores.pass_time(31)
    assert await stores.providers.probe("sendgrid", lease_s=60)

    await stores.providers.release("sendgrid", for_s=5)

    assert not await stores.providers.probe("sendgrid", lease_s=60)
    await stores.pass_time(6)
    assert await stores.providers.probe("sendgrid", lease_s=60)
    assert (await state(stores)).trips == 1


async def test_giving_a_probe_back_shortens_no_time_that_another_worker_set(
    stores: Stores,
) -> None:
    await open_it(stores, 600)

    await stores.providers.release("sendgrid", for_s=0)

    assert (await state(stores)).closed_for_s > 500


async def test_giving_a_probe_back_opens_nothing_that_is_closed(stores: Stores) -> None:
    await open_it(stores)
    await stores.providers.close("sendgrid")

    await stores.providers.release("sendgrid", for_s=60)
    await stores.providers.release("unheard", for_s=60)

    assert [(each.name, each.opened_at) for each in await stores.providers.states()] == [
        ("sendgrid", None)
    ]
    assert (await state(stores)).may_be_asked


async def test_a_closed_breaker_lets_traffic_flow_and_forgets_its_trips(stores: Stores) -> None:
    await open_it(stores)

    await stores.providers.close("sendgrid")

    closed = await state(stores)
    assert (closed.opened_at, closed.closed_for_s, closed.reason, closed.trips) == (
        None,
        0,
        None,
        0,
    )
    assert not await stores.providers.probe("sendgrid", lease_s=60)


async def test_a_throttle_only_lengthens_and_leaves_the_breaker_closed(stores: Stores) -> None:
    await stores.providers.throttle("sendgrid", for_s=100)
    await stores.providers.throttle("sendgrid", for_s=5)

    throttled = await state(stores)
    assert throttled.closed_for_s == pytest.approx(100, abs=2)
    assert (throttled.opened_at, throttled.trips) == (None, 0)
    await stores.providers.throttle("sendgrid", for_s=200)
    assert (await state(stores)).closed_for_s == pytest.approx(200, abs=2)
    await stores.pass_time(201)
    assert (await state(stores)).closed_for_s == 0


async def test_an_open_breaker_is_not_probed_while_the_provider_throttles(stores: Stores) -> None:
    await open_it(stores)
    await stores.providers.throttle("sendgrid", for_s=100)
    await stores.pass_time(31)

    assert (await state(stores)).closed_for_s == pytest.approx(69, abs=2)
    assert not await stores.providers.probe("sendgrid", lease_s=60)


async def test_a_pause_stays_until_it_is_resumed(stores: Stores) -> None:
    await open_it(stores)
    await stores.providers.pause("sendgrid", reason="invoice")
    await stores.providers.pause("smtp", reason="maintenance")
    await stores.pass_time(3_600)

    assert not await stores.providers.probe("sendgrid", lease_s=60)
    await stores.providers.close("sendgrid")
    paused = await state(stores)
    assert (paused.is_paused, paused.reason, paused.opened_at) == (True, "invoice", None)

    await stores.providers.resume("sendgrid")
    resumed = await state(stores)
    assert (resumed.is_paused, resumed.reason) == (False, None)
    assert (await state(stores, "smtp")).is_paused


async def test_resuming_lets_traffic_flow_at_once(stores: Stores) -> None:
    await open_it(stores)
    await stores.providers.throttle("sendgrid", for_s=86_400)

    await stores.providers.resume("sendgrid")

    resumed = await state(stores)
    assert (resumed.opened_at, resumed.closed_for_s, resumed.trips) == (None, 0, 0)


async def test_turns_are_spaced_by_the_rate(stores: Stores) -> None:
    reserve = partial(stores.providers.reserve, "twilio", rate_per_s=10, patience_s=60)

    delays = await asyncio.gather(*(reserve() for _ in range(5)))

    granted = [delay for delay in delays if delay is not None]
    assert granted[0] == 0
    gaps = [later - earlier for earlier, later in pairwise(granted)]
    assert gaps == pytest.approx([0.1] * 4, abs=0.01)
    assert (await state(stores, "twilio")).closed_for_s == 0


async def test_beyond_ones_patience_no_turn_is_taken(stores: Stores) -> None:
    reserve = partial(stores.providers.reserve, "twilio", rate_per_s=0.1)

    delays = await asyncio.gather(*(reserve(patience_s=each) for each in (5, 15, 5, 15, 5)))

    assert sum(delay is None for delay in delays) == 3
    assert sorted(delay for delay in delays if delay is not None) == pytest.approx([0, 10], abs=0.1)
    assert await reserve(patience_s=15) is None
    assert await reserve(patience_s=25) == pytest.approx(20, abs=2)


async def test_a_pace_that_was_not_used_is_not_saved_up(stores: Stores) -> None:
    reserve = partial(stores.providers.reserve, "twilio", rate_per_s=0.01, patience_s=0.0)
    assert await reserve() == 0

    await stores.pass_time(3_600)

    assert list(await asyncio.gather(reserve(), reserve(), reserve())) == [0, None, None]


async def test_sixteen_workers_share_one_pace_without_a_gap_or_a_clash(
    postgres_store_url: str,
) -> None:
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(open_stores(postgres_store_url)) for _ in range(16)
        ]

        async def take(stores: Stores, count: int) -> list[Turn | None]:
            wishes = [Wish("twilio", 100, 3_600) for _ in range(count)]
            return await stores.database.write(partial(pacing.reserve, wishes=wishes))

        async def work(stores: Stores) -> list[Turn | None]:
            return [turn for count in range(1, 20) for turn in await take(stores, count)]

        # Enough that the pace is taken up from then on.
        await take(workers[0], 200)
        granted = await asyncio.gather(*map(work, workers))

    times = sorted(turn.at_s for turns in granted for turn in turns if turn)
    assert len(times) == 16 * 190
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) == pytest.approx(0.01, abs=1e-4)
    assert max(gaps) == pytest.approx(0.01, abs=1e-4)
    per_s = [sum(start <= each < start + 1 for each in times) for start in times[:-100:50]]
    assert 99 <= min(per_s) <= max(per_s) <= 101


async def test_an_order_that_is_repeated_has_no_second_effect(stores: Stores) -> None:
    key = Idempotency(service="operators", key="k", fingerprint="f", answer="paused")
    pause = stores.providers.pause

    assert await pause("smtp", reason="maintenance", idempotency=key) == Applied()
    assert await stores.providers.resume("smtp") == Applied()

    assert await pause("smtp", reason="maintenance", idempotency=key) == Remembered("paused")
    assert not any(state.is_paused for state in await stores.providers.states())


async def test_what_providers_answered_is_counted_and_what_was_not_asked_is_not(
    stores: Stores,
) -> None:
    for transition, fault in ((SUCCEED, None), (SUCCEED, None), (FAIL, A_FAULT)):
        claimed = await stores.claimed(a_submission())
        assert await stores.leases.finish(an_end(claimed, transition, fault=fault))
    claimed = await stores.claimed(a_submission())
    barred = replace(A_FAULT, code="barred")
    assert await stores.leases.finish(an_end(claimed, SNOOZE, fault=barred))

    lately, hour = await stores.providers.answered()

    assert (lately.provider, lately.within_s, hour.within_s) == ("smtp", 300, 3_600)
    assert (lately.sent, lately.failed) == (hour.sent, hour.failed) == (2, 1)
    assert lately.mean_s is not None
    assert 0 <= lately.mean_s < 60
