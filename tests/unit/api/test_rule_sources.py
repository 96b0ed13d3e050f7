"""Rules as the console's editor lays them out, and where on it things stand."""

import json
from typing import Any

from notifier.api.console.rules.sources import line_at, lines_of, sample_event, source_of

_RULE: dict[str, Any] = {
    "steps": [{"send": ["email"], "template": "a: {b}"}, {"delay": "10m"}],
    "variables": {"order": "data.order_id"},
    "to": "data.user_id",
    "on": "order.shipped",
}


def test_a_rule_is_laid_out_in_the_usual_order_and_says_the_same() -> None:
    source = source_of(_RULE)

    assert json.loads(source) == _RULE
    assert [*json.loads(source)] == ["on", "to", "variables", "steps"]
    assert '    {"delay": "10m"}' in source.split("\n")


def test_every_place_has_its_line() -> None:
    source = source_of(_RULE)
    lines = lines_of(source)
    written = source.split("\n")

    for path, text in [
        (("on",), '"on"'),
        (("variables", "order"), '"order"'),
        (("steps", 0), '"send"'),
        (("steps", 0, "template"), '"template"'),
        (("steps", 1, "delay"), '"delay"'),
    ]:
        assert text in written[line_at(lines, path) - 1]
    assert line_at(lines, ("steps", 1, "until", "at")) == line_at(lines, ("steps", 1))
    assert line_at(lines, ("when",)) == 1


def test_a_sample_event_has_what_the_expressions_read() -> None:
    assert json.loads(sample_event(_RULE)) == {
        "data": {"order_id": "order_id-1", "user_id": "user_id-1"}
    }
