from dataclasses import replace
from typing import Any

import pytest

from notifier.events.reviewing import Reviewer
from notifier.events.rule import Rule
from notifier.events.rule_reading import read_rule
from notifier.notification.model import Channel
from notifier.rendering.expressions import ExpressionEngine
from tests.audience import a_category
from tests.unit.events.rules import ENGINE, IN_APP, SEND, SHIPPED, World

DIGEST = {"digest": {"window": "1h"}}
NEWS_STEP = {"send": ["email"], "template": "news"}


async def found(world: World, **changes: Any) -> dict[str, str]:
    """Say what is wrong with a rule, and where."""
    usual: dict[str, Any] = {"on": "order.shipped", "to": "data.user_id", "steps": [SEND]}
    rule = read_rule({**usual, **changes}, ENGINE.fault)
    assert isinstance(rule, Rule), rule
    drafter = world.reactor().drafter
    reviewer = Reviewer(
        library=drafter.pinner.library,
        renderer=drafter.pinner.renderer,
        expressions=ExpressionEngine(),
        categories=drafter.audience.categories,
        channels={Channel.EMAIL, Channel.IN_APP},
    )
    flaws = await reviewer.flaws(rule, "orders")
    return {"/".join(map(str, each.path)): each.words for each in flaws}


async def test_a_rule_that_fits_has_nothing_to_find() -> None:
    world = World()
    steps = [DIGEST, {**NEWS_STEP}]

    assert await found(world) == {}
    assert await found(world, variables={"order": "data.id"}) == {}
    assert await found(world, steps=[{**SEND, "variables": {"order": "data.id"}}]) == {}
    assert await found(world, steps=steps, variables={"anything": "data.id"}) == {}


async def test_a_variable_that_a_template_needs_is_missed_where_variables_are_named() -> None:
    world = World()
    named = {"variables": {"number": "data.id"}}
    unknown = "no template of the rule has such a variable"

    assert await found(world, **named) == {
        "variables": "the template shipped needs order",
        "variables/number": unknown,
    }
    assert await found(world, steps=[{**SEND, **named}], **named) == {
        "steps/0/variables": "the template shipped needs order",
        "steps/0/variables/number": "the template shipped has no such variable",
        "variables/number": unknown,
    }


async def test_behind_a_digest_templates_get_its_items_and_what_steps_name() -> None:
    assert await found(World(), steps=[DIGEST, SEND], variables={"order": "data.id"}) == {
        "steps/1/variables": "the template shipped needs order"
    }


async def test_a_variable_is_for_one_template_of_a_rule_and_need_not_be_for_all() -> None:
    world = World()
    schema: dict[str, Any] = {"type": "object", "properties": {"carrier": {"type": "string"}}}
    world.templates.publish("carried", replace(SHIPPED, schema=schema))
    steps = [SEND, {**SEND, "template": "carried"}]
    named = {"order": "data.id", "carrier": "data.c"}

    assert await found(world, steps=steps, variables=named) == {}


@pytest.mark.parametrize("place", ["rule", "step"])
async def test_a_value_that_is_fixed_is_of_the_type_that_the_template_wants(place: str) -> None:
    named = {"variables": {"order": "17"}}
    rule = named if place == "rule" else {"steps": [{**SEND, **named}]}

    (where, words), *others = (await found(World(), **rule)).items()

    assert where == ("variables/order" if place == "rule" else "steps/0/variables/order")
    assert "(of the template shipped)" in words
    assert others == []


async def test_categories_channels_and_templates_that_are_not_there_are_found() -> None:
    world = World()
    world.people.declare(a_category("shipping"))
    steps = [IN_APP, {"send": ["sms", "email"], "template": "shipped"}, {**SEND, "template": "no"}]

    wrong = await found(world, category="news", steps=steps)

    assert await found(world, category="shipping") == {}
    assert wrong["category"] == "there is no such category; there are shipping"
    assert wrong["steps/1/send/0"] == "sms is turned off here"
    assert wrong["steps/1/template"] == "it has nothing for sms"
    assert "there is no template of this name" in wrong["steps/2/template"]
