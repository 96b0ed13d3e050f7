"""Statistics: each event of the feed is in them once, whoever counts and whatever dies."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from notifier.notification.model import Channel, Lane, Status
from notifier.notification.statistics import Durations, StatisticsFilter, Step, Tally
from notifier.notification.transitions import CANCEL, FAIL, REPLAY, RETRY, SUCCEED
from notifier.store.statistics import SqlStatistics
from tests.contract.store.stores import Stores, a_submission, an_end, envelope_of


def over(step: Step = Step.MINUTE, *, apart: bool = False, **asked: object) -> StatisticsFilter:
    """All of what happens in a test, be it around midnight."""
    now = datetime.now(UTC)
    long = timedelta(days=2)
    values: dict[str, object] = {"since": now - long, "before": now + long, **asked}
    return StatisticsFilter(step=step, apart=apart, **values)  # type: ignore[arg-type]


def counting(stores: Stores, at_once: int = 10_000) -> SqlStatistics:
    """Return what counts as in a process of its own."""
    return SqlStatistics(stores.database, type(stores.feed)(stores.database), at_once)


async def tallied(statistics: SqlStatistics) -> None:
    """Count all that has happened."""
    while await statistics.tally():
        pass


async def events_of(statistics: SqlStatistics, filter: StatisticsFilter) -> Counter[str]:
    """How often each event happened, over all steps."""
    found: Counter[str] = Counter()
    for each in await statistics.list(filter):
        found.update(each.events)
    return found


async def traffic(stores: Stores) -> None:
    """Have something happen of each kind."""
    for transition in (SUCCEED, SUCCEED, RETRY, FAIL):
        await stores.ended(transition)
    failed = await stores.ended(FAIL)
    await stores.orders.move(REPLAY, failed.id, service=None)
    gone = await stores.accept()
    await stores.orders.move(CANCEL, gone.id, service=None)
    await stores.accept_many(2)


async def test_statistics_hold_what_the_account_and_the_timelines_hold(stores: Stores) -> None:
    await traffic(stores)
    await tallied(stores.statistics)

    account = await stores.queries.account(service=None)
    events = await events_of(stores.statistics, over())
    assert events["accept"] == account.accepted == 8
    assert events["succeed"] == account.by_status[Status.SENT] == 2
    assert events["fail"] - events["replay"] == account.by_status[Status.FAILED] == 1
    assert events["cancel"] == account.by_status[Status.CANCELLED] == 1
    assert (events["claim"], events["retry"]) == (5, 1)
    for step in Step:
        assert await events_of(stores.statistics, over(step)) == events
        assert await events_of(stores.statistics, over(step, apart=True)) == events


async def test_each_event_is_counted_once_by_any_number_in_any_portions(stores: Stores) -> None:
    await traffic(stores)
    # Ids begin where earlier tests left them: nobody is to walk there one by one.
    await tallied(stores.statistics)
    those = [counting(stores, at_once) for at_once in (1, 2, 3, 100)]
    for _ in range(2):
        await traffic(stores)
        await asyncio.gather(*map(tallied, those))
    await tallied(stores.statistics)

    events = await events_of(stores.statistics, over())
    assert events["accept"] == (await stores.queries.account(service=None)).accepted == 24
    assert events["claim"] == 15


async def test_whoever_dies_before_the_commit_has_counted_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.accept()
    await tallied(stores.statistics)
    before = await events_of(stores.statistics, over())
    await traffic(stores)
    dying = counting(stores, at_once=3)
    with monkeypatch.context() as patched:
        patched.setattr(stores.database, "_beside", _die)
        with pytest.raises(_DeadError):
            await dying.tally()
    assert await events_of(stores.statistics, over()) == before

    await tallied(stores.statistics)

    assert (await events_of(stores.statistics, over()))["accept"] == 9


class _DeadError(Exception):
    """Stands for the end of a process."""


async def _die(_connection: object) -> None:
    raise _DeadError


async def test_tallies_are_told_apart_by_service_channel_and_lane(stores: Stores) -> None:
    await stores.ended(SUCCEED, a_submission(service="shop", channel=Channel.SMS))
    await stores.ended(FAIL, a_submission(service="post"))
    await tallied(stores.statistics)
    ask = stores.statistics.list

    by_channel = await ask(over(apart=True))
    assert {(each.channel, each.lane) for each in by_channel} == {
        (Channel.SMS, Lane.NORMAL), (Channel.EMAIL, Lane.NORMAL),
    }  # fmt: skip
    [shop] = await ask(over(Step.DAY, service="shop"))
    assert (shop.accepted, shop.attempts, shop.sent, shop.failed) == (1, 1, 1, 0)
    [post] = await ask(over(Step.DAY, channel=Channel.EMAIL))
    assert (post.sent, post.failed) == (0, 1)
    assert await ask(over(Step.DAY, lane=Lane.HIGH)) == []


async def test_a_tally_has_how_long_hand_overs_took(stores: Stores) -> None:
    await stores.ended(SUCCEED)
    await stores.ended(FAIL)
    await tallied(stores.statistics)

    [day] = await stores.statistics.list(over(Step.DAY))

    assert day.delivery.count == 1
    assert 0 <= day.delivery.seconds < 30
    assert 0 < (day.delivery.quantile(0.5) or 0) < 30


async def test_what_waited_for_its_time_counts_from_then(stores: Stores) -> None:
    later = await stores.accept(a_submission(send_at=await stores.now() + timedelta(minutes=10)))
    await stores.pass_time(630)
    claimed = await stores.claim(envelope_of(later))
    assert claimed is not None
    await stores.leases.finish(an_end(claimed, SUCCEED))
    await tallied(stores.statistics)

    [day] = await stores.statistics.list(over(Step.DAY))

    assert 29 < day.delivery.seconds < 90


async def test_how_far_behind_it_is_can_be_asked(stores: Stores) -> None:
    assert await stores.statistics.behind_s() == 0
    await stores.accept()
    assert 0 <= await stores.statistics.behind_s() < 60

    await tallied(stores.statistics)

    assert await stores.statistics.behind_s() == 0


async def test_tallies_past_their_term_are_forgotten_and_others_kept(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await traffic(stores)
    await tallied(stores.statistics)
    assert await stores.statistics.purge() == 0
    monkeypatch.setattr(Step, "kept_s", property(lambda step: -86_400 * (step is Step.MINUTE)))

    assert await stores.statistics.purge() > 0

    assert await stores.statistics.list(over(Step.MINUTE)) == []


def test_a_quantile_lies_within_its_bucket() -> None:
    some = Durations({0: 50, 5: 40, 10: 10}, 12.5)
    assert some.quantile(0.5) == pytest.approx(0.01)
    assert 0.063 < (some.quantile(0.9) or 0) <= 0.1
    assert 0.63 < (some.quantile(0.99) or 0) <= 1
    assert Durations().quantile(0.5) is None
    assert (some + some).count == 200
    assert Tally(at=datetime.now(UTC), events={}).accepted == 0
