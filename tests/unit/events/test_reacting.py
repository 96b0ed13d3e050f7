from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from uuid_utils import compat

from notifier.events.digest import Collected, Digest, Unfinished
from notifier.events.event import Cancel, EventKey, Match, Outcome, Throttle
from notifier.events.rule import RuleVersion
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, JsonValue, Lane
from notifier.notification.origin import Condition, Origin, Unless
from tests.audience import a_category
from tests.unit.events.rules import IN_APP, NOW, ORDER, SEND, World, an_event

FIRST_DAY = "'0001-01-01T00:00:00+14:00'"


@pytest.fixture
def world() -> World:
    return World()


async def matched(world: World, **changes: Any) -> Match:
    effects = await world.reactor().react(an_event(**changes))
    [match] = effects.matches
    return match


def told(submissions: Any) -> list[tuple[Channel, str]]:
    return [(each.channel, each.recipient) for each in submissions]


async def test_an_event_becomes_a_notification_of_its_rule(world: World) -> None:
    version = world.rules.add()

    match = await matched(world)

    assert (match.rule, match.version_id, match.person) == ("shipped", version.id, "u-7")
    assert (match.outcome, match.reason, match.key) == (Outcome.MATCHED, None, None)
    [made] = match.submissions
    assert told([made]) == [(Channel.EMAIL, "ada@example.org")]
    assert (made.service, made.variables) == ("orders", {"order": "o-1"})
    assert made.origin == Origin(rule="shipped")


async def test_an_event_that_no_rule_is_on_has_no_effects(world: World) -> None:
    world.rules.add()

    effects = await world.reactor().react(an_event(type="order.paid"))
    of_others = await world.reactor().react(an_event(service="payments"))

    assert (effects.matches, effects.cancels, of_others.matches) == ([], [], [])


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"when": "data.total > 500"}, Outcome.UNMATCHED, "when: it is not so"),
        ({"when": "data.country == 'DE'"}, Outcome.UNMATCHED, "when: no value for data.country"),
        ({"to": "data.nobody"}, Outcome.UNMATCHED, "to: no value for data.nobody"),
        ({"to": "data"}, Outcome.FAILED, "to: expected a user id"),
        ({"to": "[]"}, Outcome.FAILED, "to: nobody is named"),
        ({"to": "'nobody'"}, Outcome.FAILED, "there is no such recipient"),
        ({"key": "data"}, Outcome.FAILED, "key: expected a text"),
        ({"variables": {"order": "data.o"}}, Outcome.UNMATCHED, "variables/order: no value"),
        ({"variables": {"order": "data.total"}}, Outcome.FAILED, "steps/0/email: variables/order"),
        ({"steps": [{**SEND, "template": "x"}]}, Outcome.FAILED, "template: there is no template"),
        ({"steps": [{**SEND, "send": ["sms"]}]}, Outcome.FAILED, "has no address for sms"),
        ({"steps": [{"delay": {"until": "data.order"}}, SEND]}, Outcome.FAILED, "expected a time"),
        ({"steps": [{"delay": {"until": "data.total"}}, SEND]}, Outcome.FAILED, "expected a time"),
        ({"steps": [{"delay": {"until": FIRST_DAY}}, SEND]}, Outcome.FAILED, "expected a time"),
        ({"steps": [{"delay": {"until": "'2028-01-01T00:00Z'"}}, SEND]}, Outcome.FAILED, "a year"),
        ({"to": "{'user_id': 'u-7', 'name': 1}"}, Outcome.FAILED, "to: expected a user id"),
        ({"to": "{'recipient': 1}"}, Outcome.FAILED, "to: expected a user id"),
        ({"to": "{'user_id': none, 'recipient': none}"}, Outcome.FAILED, "to: expected a user id"),
        ({"to": "[true]"}, Outcome.FAILED, "to: expected a user id"),
        ({"to": "''"}, Outcome.FAILED, "to: there is nothing in it"),
        ({"to": "{'topic': 1}"}, Outcome.FAILED, "expected the key of a topic"),
    ],
)
async def test_what_does_not_come_to_a_notification_says_why(
    world: World, changes: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    world.rules.add(**changes)

    match = await matched(world)

    assert (match.outcome, match.submissions) == (outcome, ())
    assert match.reason is not None
    assert reason in match.reason
    assert "o-1" not in match.reason


async def test_what_reads_too_much_fails_every_rule(world: World) -> None:
    world.rules.add()

    match = await matched(world, data="a" * 100_001)

    assert match.outcome is Outcome.FAILED


async def test_all_rules_for_a_type_react_in_the_order_of_their_names(world: World) -> None:
    types = {"a": "order.*", "b": "order.shipped", "c": "order.paid", "d": "order.*"}
    for name, on in types.items():
        world.rules.add(name, on=on)

    effects = await world.reactor().react(an_event())

    assert [each.rule for each in effects.matches] == ["a", "b", "d"]


async def test_more_people_than_a_rule_may_tell_are_told_of_as_a_topic(world: World) -> None:
    world.rules.add(to="data.users")

    match = await matched(world, data={"users": [f"u-{n}" for n in range(101)]})

    assert match.reason == "to: more than 100 people: let it be a topic"


async def test_a_number_can_be_a_user_id(world: World) -> None:
    world.rules.add(to="data.user")

    assert (await matched(world, data={"user": 42})).person == "42"


async def test_an_event_is_for_each_whom_it_names_once(world: World) -> None:
    world.rules.add(to="data.users", steps=[IN_APP, SEND])
    users = ["u-7", {"user_id": "u-8"}, "u-7", {"recipient": "eve@example.org"}]

    effects = await world.reactor().react(an_event(data={**ORDER, "users": users}))

    assert [each.person for each in effects.matches] == ["u-7", "u-8", "eve@example.org"]
    assert [each.is_user for each in effects.matches] == [True, True, False]
    first, second, third = effects.matches
    assert told(first.submissions) == [
        (Channel.IN_APP, "u-7"),
        (Channel.EMAIL, "ada@example.org"),
    ]
    assert told(second.submissions) == [(Channel.IN_APP, "u-8")]
    assert second.reason is not None
    assert "steps/1/email: user_id: this recipient has no address" in second.reason
    assert (Channel.EMAIL, "eve@example.org") in told(third.submissions)


async def test_a_fallback_waits_and_depends_on_what_came_before_it(world: World) -> None:
    world.rules.add(
        key="data.order",
        lane="high",
        steps=[
            {**SEND, "send": ["in_app", "email"]},
            {"delay": "10m"},
            {"unless": "read"},
            {"unless": {"event": "order.delivered"}},
            SEND,
        ],
    )

    match = await matched(world)

    in_app, _, fallback = match.submissions
    assert (in_app.send_at, in_app.lane) == (None, Lane.HIGH)
    assert in_app.origin == Origin(rule="shipped", key="o-1")
    assert fallback.send_at == NOW + timedelta(minutes=10)
    assert fallback.origin == Origin(
        rule="shipped",
        key="o-1",
        unless=Unless(in_app.id, Condition.READ),
        unless_event="order.delivered",
    )


async def test_what_a_fallback_would_depend_on_and_is_not_sent_does_not_hold_it_back(
    world: World,
) -> None:
    world.rules.add(
        to="'u-8'", steps=[SEND, {"unless": "delivered"}, {**IN_APP, "template": "shipped"}]
    )

    match = await matched(world)

    [made] = match.submissions
    assert made.origin == Origin(rule="shipped")


@pytest.mark.parametrize(
    ("until", "at"),
    [
        ("data.at", datetime(2026, 7, 1, 18, 30, tzinfo=UTC)),
        ({"at": "09:00"}, datetime(2026, 7, 2, 7, tzinfo=UTC)),
        ({"at": "15:00"}, datetime(2026, 7, 1, 13, tzinfo=UTC)),
        ({"at": "09:00", "on": ["mon"]}, datetime(2026, 7, 6, 7, tzinfo=UTC)),
        ({"at": "15:00", "zone": "America/New_York"}, datetime(2026, 7, 1, 19, tzinfo=UTC)),
    ],
)
async def test_a_step_waits_for_a_time_of_the_event_or_of_the_day(
    world: World, until: JsonValue, at: datetime
) -> None:
    world.rules.add(steps=[{"delay": {"until": until}}, SEND])

    match = await matched(world, data={**ORDER, "at": "2026-07-01T20:30:00+02:00"})

    assert [each.send_at for each in match.submissions] == [at]


async def test_what_a_step_sends_may_expire_and_be_sensitive(world: World) -> None:
    sensitive = {**SEND, "expires_in": "10m", "sensitive": True}
    world.rules.add(steps=[sensitive, {"delay": "1h"}, {**SEND, "expires_in": "10m"}])

    first, second = (await matched(world)).submissions

    assert (first.sensitive, first.expires_at) == (True, NOW + timedelta(minutes=10))
    assert (second.sensitive, second.expires_at) == (False, NOW + timedelta(minutes=70))


async def test_a_throttle_spares_what_came_before_it(world: World) -> None:
    throttle = {"throttle": {"count": 3, "per": "1h", "key": "data.order"}}
    world.rules.add(steps=[IN_APP, throttle, SEND])

    match = await matched(world)

    assert match.throttle == Throttle(count=3, per_s=3_600, key="o-1", spared=1)
    assert len(match.submissions) == 2


async def test_an_event_takes_back_what_has_its_key(world: World) -> None:
    steps = [IN_APP, {"unless": {"event": "order.cancelled"}}, SEND]
    world.rules.add("whole", key="data.order", cancelled_by=["order.cancelled", "order.lost"])
    world.rules.add("rest", key="data.order", steps=steps)
    world.rules.add("without")

    cancelled = await world.reactor().react(an_event(type="order.cancelled"))
    lost = await world.reactor().react(an_event(type="order.lost"))
    keyless = await world.reactor().react(an_event(type="order.lost", data={}))

    assert cancelled.cancels == [Cancel("whole", "o-1"), Cancel("rest", "o-1", "order.cancelled")]
    assert lost.cancels == [Cancel("whole", "o-1")]
    assert keyless.cancels == []


async def test_a_digest_collects_what_templates_are_to_get(world: World) -> None:
    digest = {"digest": {"window": "1h", "key": "data.total", "max_items": 9}}
    news = {"send": ["email"], "template": "news"}
    world.rules.add(variables={"order": "data.order"}, steps=[digest, news])

    match = await matched(world)

    assert (match.outcome, match.submissions) == (Outcome.MATCHED, [])
    assert match.digest_item is not None
    assert match.digest_item.key == "120"
    assert match.digest_item.data == {"order": "o-1"}
    assert match.digest_item.due_at == NOW + timedelta(hours=1)
    assert match.digest_item.max_items == 9


async def test_a_digest_may_send_what_opens_it_at_once(world: World) -> None:
    digest = {"digest": {"until": {"at": "09:00"}, "first": "send"}}
    world.rules.add(steps=[digest, {"send": ["email"], "template": "news"}])

    match = await matched(world)

    assert match.digest_item is not None
    assert match.digest_item.sends_first
    assert match.digest_item.due_at == datetime(2026, 7, 2, 7, tzinfo=UTC)
    [made] = match.submissions
    assert made.variables == {"items": [ORDER], "count": 1}


def a_digest(version: RuleVersion, count: int = 60) -> Digest:
    items = [
        Collected(event=EventKey("orders", "/shop", f"e-{n}"), at=NOW, data={"order": f"o-{n}"})
        for n in range(50)
    ]
    return Digest(
        id=compat.uuid7(),
        service="orders",
        rule=version.name,
        version_id=version.id,
        person="u-7",
        is_user=True,
        key="",
        match_key="o-1",
        opened_at=NOW,
        closed_at=NOW,
        count=count,
        items=items,
    )


async def test_a_digest_that_is_closed_is_sent_always_under_the_same_ids(world: World) -> None:
    steps = [{"digest": {"window": "1h"}}, {"send": ["email"], "template": "news"}]
    digest = a_digest(world.rules.add(steps=steps))

    made = await world.reactor().finished(digest)
    again = await world.reactor().finished(digest)

    assert not isinstance(made, Unfinished)
    assert not isinstance(again, Unfinished)
    [one] = made
    assert one.variables is not None
    assert one.variables["count"] == 60
    assert [each.id for each in again] == [one.id]
    assert one.id.version == 7
    assert one.origin == Origin(rule="shipped", key="o-1")


async def test_a_digest_of_large_items_is_sent_with_those_that_there_is_room_for(
    world: World,
) -> None:
    steps = [{"digest": {"window": "1h"}}, {"send": ["email"], "template": "news"}]
    digest = a_digest(world.rules.add(steps=steps))
    large = [replace(each, data={"order": "a" * 5_000}) for each in digest.items]

    made = await world.reactor().finished(replace(digest, items=large))

    assert not isinstance(made, Unfinished), made
    assert made[0].variables is not None
    shown = made[0].variables["items"]
    assert isinstance(shown, list)
    assert (len(shown), made[0].variables["count"]) == (15, 60)


async def test_a_digest_that_cannot_be_sent_says_why(world: World) -> None:
    steps = [{"digest": {"window": "1h"}}, {"send": ["email"], "template": "nothing"}]
    digest = a_digest(world.rules.add(steps=steps))

    made = await world.reactor().finished(digest)
    world.rules.versions.clear()
    gone = await world.reactor().finished(digest)

    assert isinstance(made, Unfinished)
    assert "there is no template" in made.reason
    assert gone == Unfinished("the rule is not there any more")


async def test_what_an_event_is_rehearsed_to_come_to_is_what_it_comes_to(world: World) -> None:
    version = world.rules.add(
        steps=[IN_APP, {"delay": "10m"}, {"unless": "read"}, SEND], key="data.order"
    )
    reactor = world.reactor()

    [real] = (await reactor.react(an_event())).matches
    [dry] = (await reactor.rehearse(version, an_event())).matches
    other = await reactor.rehearse(version, an_event(type="order.paid"))

    assert shape(dry) == shape(real)
    assert [each.outcome for each in other.matches] == [Outcome.UNMATCHED]


def shape(match: Match) -> object:
    """Return all of a match but the ids that are new each time."""
    places = {each.id: nth for nth, each in enumerate(match.submissions)}
    return (
        match.rule, match.version_id, match.person, match.key, match.outcome, match.reason,
        match.digest_item, match.throttle, [_shape(each, places) for each in match.submissions],
    )  # fmt: skip


def _shape(made: Submission, places: dict[Any, int]) -> object:
    unless = made.origin.unless if made.origin else None
    return (
        made.channel, made.recipient, made.template, made.variables, made.send_at, made.lane,
        unless and (places[unless.id], unless.condition),
    )  # fmt: skip


async def test_a_rule_may_name_a_category_that_people_choose_by(world: World) -> None:
    world.people.declare(a_category("shipping", defaults={Channel.EMAIL: False}))
    world.rules.add(category="shipping")

    [made] = (await matched(world)).submissions

    assert made.addressee is not None
    assert made.addressee.category == "shipping"
    assert made.withheld is not None


async def test_a_category_that_is_gone_keeps_a_rule_from_being_carried_out(world: World) -> None:
    world.rules.add(category="shipping")

    match = await matched(world)

    assert match.outcome is Outcome.FAILED
    assert "there is no such category" in (match.reason or "")


async def test_what_goes_to_a_topic_is_of_its_templates_category(world: World) -> None:
    world.rules.add(category="shipping", to="{'topic': 'news'}")

    match = await matched(world)

    assert (match.outcome, match.reason) == (
        Outcome.FAILED,
        "what goes to a topic is of its template's category: leave category out",
    )
