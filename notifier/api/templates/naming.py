"""Which template a request is about."""

from typing import Any

from notifier.api.kit.calls import Call
from notifier.api.kit.problems import invalid_parameter
from notifier.content.template import NAME_WORDS, is_template_name


def named_template(call: Call[Any, Any]) -> str:
    """Return the name in the path.

    Raises:
        ProblemError: 422, no template can have it.
    """
    name: str = call.named("template")
    if not is_template_name(name):
        raise invalid_parameter("template", NAME_WORDS)
    return name
