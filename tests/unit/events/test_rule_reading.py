import json
from datetime import time
from typing import Any

import pytest

from notifier.events.rule import (
    Collect,
    Delay,
    First,
    Lasting,
    Limit,
    Moment,
    Rule,
    Send,
    Skip,
    WallTime,
    is_of_type,
    is_rule_name,
)
from notifier.events.rule_reading import read_rule
from notifier.notification.model import Channel, Lane
from notifier.notification.origin import Condition
from notifier.rendering.expressions import ExpressionEngine

SEND = {"send": ["email"], "template": "order.shipped"}
IN_APP = {"send": ["in_app"], "template": "order.shipped"}


def written(**changes: Any) -> dict[str, Any]:
    return {"on": "order.shipped", "to": "data.user_id", "steps": [SEND], **changes}


def with_digest(**changes: Any) -> dict[str, Any]:
    return written(steps=[{"digest": {"window": "1h", **changes}}, SEND])


def flaws(document: Any) -> dict[str, str]:
    found = read_rule(document, ExpressionEngine().fault)
    assert not isinstance(found, Rule)
    return {"/".join(map(str, each.path)): each.words for each in found}


def test_a_rule_is_read_with_all_that_it_may_say() -> None:
    document = written(
        when="data.total > 100",
        key="data.order",
        cancelled_by=["order.cancelled"],
        variables={"order": "data.order"},
        lane="high",
        steps=[
            {"throttle": {"count": 3, "per": "1h", "key": "type"}},
            {"digest": {"window": "10m", "key": "type", "max_items": 20, "first": "send"}},
            IN_APP,
            {"delay": "2h"},
            {"delay": {"until": "items[0].at"}},
            {"delay": {"until": {"at": "09:00", "zone": "Europe/Vienna"}}},
            {"unless": "read"},
            {"unless": {"event": "order.delivered"}},
            {**SEND, "variables": {"n": "count"}, "expires_in": "1d", "sensitive": True},
        ],
    )

    rule = read_rule(document, ExpressionEngine().fault)

    assert rule == Rule(
        on="order.shipped",
        to="data.user_id",
        when="data.total > 100",
        key="data.order",
        cancelled_by=["order.cancelled"],
        variables={"order": "data.order"},
        lane=Lane.HIGH,
        steps=[
            Limit(count=3, per_s=3_600, key="type"),
            Collect(key="type", until=Lasting(600), max_items=20, first=First.SEND),
            Send(channels=[Channel.IN_APP], template="order.shipped"),
            Delay(Lasting(7_200)),
            Delay(Moment("items[0].at")),
            Delay(WallTime(time(9), "Europe/Vienna")),
            Skip(Condition.READ),
            Skip(event="order.delivered"),
            Send(
                channels=[Channel.EMAIL],
                template="order.shipped",
                variables={"n": "count"},
                expires_in_s=86_400,
                is_sensitive=True,
            ),
        ],
    )


@pytest.mark.parametrize("type", ["order shipped", "o" * 512, "Bestellung.größer", "a b.*"])
def test_a_rule_may_be_on_any_type_that_an_event_may_have(type: str) -> None:
    assert isinstance(read_rule(written(on=type)), Rule)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (written(on="o" * 513), "on"),
        (written(on=" order"), "on"),
        ([], ""),
        ({}, "steps"),
        (written(then=1), "then"),
        (written(on="order .*"), "on"),
        (written(on="*"), "on"),
        (written(to=["data.user_id"]), "to"),
        (written(to="user.id"), "to"),
        (written(when="1 +"), "when"),
        (written(variables={"a": "b c"}), "variables/a"),
        (written(variables=[]), "variables"),
        (written(lane="fast"), "lane"),
        (written(cancelled_by="order.cancelled"), "cancelled_by"),
        (written(cancelled_by=["order.cancelled"]), "key"),
        (written(steps=[]), "steps"),
        (written(steps=["send"]), "steps/0"),
        (written(steps=[{**SEND, "delay": "1h"}]), "steps/0"),
        (written(steps=[{**SEND, "send": ["fax"]}]), "steps/0/send/0"),
        (written(steps=[{**SEND, "send": ["sms", "sms"]}]), "steps/0/send"),
        (written(steps=[{**SEND, "template": "No Name"}]), "steps/0/template"),
        (written(steps=[{"send": ["email"]}]), "steps/0/template"),
        (written(steps=[{**SEND, "expires_in": 10}]), "steps/0/expires_in"),
        (written(steps=[{**SEND, "sensitive": "no"}]), "steps/0/sensitive"),
        (written(steps=[{"delay": "soon"}, SEND]), "steps/0/delay"),
        (written(steps=[{"delay": "31d"}, SEND]), "steps/0/delay"),
        (written(steps=[{"delay": {"until": {"at": "24:00"}}}, SEND]), "steps/0/delay/until/at"),
        (
            written(steps=[{"delay": {"until": {"at": "09:00", "zone": "Vienna"}}}, SEND]),
            "steps/0/delay/until/zone",
        ),
        (with_digest(on=["mon"]), "steps/0/digest/on"),
        (with_digest(until={"at": "09:00", "on": []}), "steps/0/digest"),
        (with_digest(window=None, until={"at": "9", "on": 1}), "steps/0/digest"),
        (written(steps=[{"digest": {}}, SEND]), "steps/0/digest"),
        (with_digest(max_items=1), "steps/0/digest/max_items"),
        (with_digest(first="skip"), "steps/0/digest/first"),
        (with_digest(key="count"), "steps/0/digest/key"),
        (written(when="count > 1"), "when"),
        (written(steps=[{"digest": {"window": "1h"}}, SEND], to="items"), "to"),
        (
            written(steps=[{"digest": {}}, {**SEND, "variables": {"n": "data.n", "m": "count"}}]),
            "steps/1/variables/n",
        ),
        (written(steps=[{"throttle": {"count": 0, "per": "1h"}}, SEND]), "steps/0/throttle/count"),
        (written(steps=[{"throttle": {"count": 1}}, SEND]), "steps/0/throttle/per"),
        (written(steps=[{"unless": "seen"}, SEND]), "steps/0/unless"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_told_with_its_place(document: Any, path: str) -> None:
    assert path in flaws(document)


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([SEND, {"delay": "1h"}], "steps/1"),
        ([SEND, {"digest": {"window": "1h"}}, SEND], "steps/1"),
        ([{"digest": {"window": "1h"}}, {"digest": {"window": "1h"}}, SEND], "steps/1"),
        ([{"digest": {"window": "1h"}}, {"throttle": {"count": 1, "per": "1h"}}, SEND], "steps/1"),
        ([{"unless": "read"}, SEND], "steps/0"),
        ([SEND, {"unless": "read"}, SEND], "steps/1"),
        ([SEND, {"unless": {"event": "order.paid"}}, SEND], "key"),
        ([*[{"delay": "30d"}] * 12, {"delay": "7d"}, SEND], "steps"),
    ],
)
def test_steps_have_an_order(steps: Any, path: str) -> None:
    assert path in flaws(written(steps=steps))


def test_delays_may_come_to_a_year() -> None:
    steps = [*[{"delay": "30d"}] * 12, {"delay": "6d"}, SEND]

    assert isinstance(read_rule(written(steps=steps)), Rule)


def test_all_that_is_wrong_is_told_at_once() -> None:
    document = written(on=1, to="", steps=[{"delay": 1}, {"send": [], "template": "x"}])

    assert {"on", "to", "steps/0/delay", "steps/1/send"} <= flaws(document).keys()


def test_what_is_wrong_is_told_without_repeating_it() -> None:
    document = written(lane="secret", to={"secret": 1}, steps=[{"delay": "secret"}, SEND])

    assert "secret" not in json.dumps(list(flaws(document).values()))


@pytest.mark.parametrize(
    ("pattern", "type", "is_it"),
    [
        ("order.paid", "order.paid", True),
        ("order.paid", "order.paid.late", False),
        ("order.*", "order.paid", True),
        ("order.*", "order.paid.late", True),
        ("order.*", "order", False),
        ("order.*", "orders.paid", False),
    ],
)
def test_a_rule_is_on_a_type_or_on_all_that_begin_so(
    pattern: str, type: str, *, is_it: bool
) -> None:
    assert is_of_type(pattern, type) is is_it


def test_a_rules_name_can_stand_in_a_path() -> None:
    assert is_rule_name("order.shipped-2")
    assert not any(map(is_rule_name, ("", "A", "a/b", "a\n", ".a", "a" * 65)))
