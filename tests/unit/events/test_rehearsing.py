"""A dry run shows what a real run makes, for rules of every shape."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from notifier.events.digest import Unfinished
from notifier.events.rehearsing import Rehearser
from notifier.notification.model import JsonValue
from tests.unit.events.rules import IN_APP, ORDER, SEND, World, an_event
from tests.unit.events.test_reacting import a_digest, shape

NEWS = {"send": ["email"], "template": "news"}
DELAYS: list[JsonValue] = [
    "10m",
    {"until": "data.at"},
    {"until": {"at": "09:00"}},
    {"until": {"at": "09:00", "zone": "America/New_York"}},
]
SENDS = st.sampled_from([SEND, IN_APP, {**SEND, "send": ["in_app", "email", "sms"]}])
BETWEEN = st.one_of(
    st.sampled_from(DELAYS).map(lambda until: {"delay": until}),
    st.just({"unless": {"event": "order.paid"}}),
    st.just({"throttle": {"count": 2, "per": "1h"}}),
    SENDS,
)


def once(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what there can be once, the second time."""
    seen: set[str] = set()
    left = []
    for each in steps:
        name = next(iter(each))
        if name in ("throttle", "unless") and name in seen:
            continue
        seen.add(name)
        left.append(each)
    return left


PLAIN = st.tuples(st.lists(BETWEEN, max_size=4), SENDS).map(lambda two: [*once(two[0]), two[1]])
FALLBACK = SENDS.map(lambda last: [IN_APP, {"delay": "10m"}, {"unless": "read"}, last])
DIGEST = st.sampled_from(["wait", "send"]).map(
    lambda first: [{"digest": {"window": "1h", "first": first}}, NEWS]
)
RULES = st.fixed_dictionaries(
    {
        "steps": st.one_of(PLAIN, FALLBACK, DIGEST),
        "to": st.sampled_from(
            [
                "data.user_id",
                "data.users",
                "data.nobody",
                "'nobody'",
                "{'recipient': 'a@b.example'}",
            ]
        ),
        "key": st.just("data.order"),
        "when": st.sampled_from(["data.total > 100", "data.total > 500", "data.country"]),
    },
    optional={
        "variables": st.sampled_from([{"order": "data.order"}, {"order": "data.none"}]),
        "lane": st.just("high"),
    },
)
DATA = {**ORDER, "at": "2026-07-03T20:30:00+02:00", "users": ["u-7", "u-8", "u-9"]}


@given(rule=RULES)
async def test_a_dry_run_comes_to_what_a_real_run_comes_to(rule: Mapping[str, Any]) -> None:
    world = World()
    version = world.rules.add(**rule)
    reactor, event = world.reactor(), an_event(data=DATA)

    real = (await reactor.react(event)).matches
    dry = await Rehearser(reactor).rehearse(version, event)

    assert [shape(each.match) for each in dry] == [shape(each) for each in real]
    for each in dry:
        assert len(each.now) == len(each.match.submissions)


async def test_what_would_be_sent_is_shown_filled() -> None:
    world = World()
    version = world.rules.add(steps=[SEND])

    [found] = await Rehearser(world.reactor()).rehearse(version, an_event())

    [shown] = found.now
    assert shown.rendered is not None
    assert (shown.rendered.subject, shown.rendered.text) == ("Shipped: o-1", "o-1 is on its way")


async def test_what_a_digest_would_come_to_is_shown() -> None:
    world = World()
    version = world.rules.add(steps=[{"digest": {"window": "1h"}}, NEWS])

    [found] = await Rehearser(world.reactor()).rehearse(version, an_event())
    real = await world.reactor().finished(a_digest(version, count=1))

    [shown] = found.behind_digest
    assert found.now == []
    assert shown.rendered is not None
    assert (shown.rendered.subject, shown.rendered.text) == ("1 orders", "o-1 ")
    assert not isinstance(real, Unfinished)
    assert real[0].channel == shown.submission.channel


async def test_a_digest_that_would_come_to_nothing_says_why() -> None:
    world = World()
    nothing = {**NEWS, "template": "nothing"}
    version = world.rules.add(steps=[{"digest": {"window": "1h"}}, nothing])

    [found] = await Rehearser(world.reactor()).rehearse(version, an_event())

    assert found.unfinished is not None
    assert "there is no template" in found.unfinished
