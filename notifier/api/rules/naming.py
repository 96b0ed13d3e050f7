"""Which rule a request is about."""

from typing import Any

from notifier.api.kit.calls import Call
from notifier.api.kit.problems import invalid_parameter
from notifier.events.rule import is_rule_name

WORDS = (
    "expected a name such as order.shipped: a to z, 0 to 9, and after the first of them dots, "
    "dashes and underscores, 64 at most"
)


def named_rule(call: Call[Any, Any]) -> str:
    """Return the name in the path.

    Raises:
        ProblemError: 422, no rule can have it.
    """
    name: str = call.named("rule")
    if not is_rule_name(name):
        raise invalid_parameter("rule", WORDS)
    return name
