"""Which template a request is about."""

from typing import Any

from notifier.api.kit.calls import Call
from notifier.api.kit.problems import not_found
from notifier.content.template import is_template_name


def named_template(call: Call[Any, Any]) -> str:
    """Return the name in the path.

    Raises:
        ProblemError: 404, no template can have it.
    """
    name: str = call.named("template")
    if not is_template_name(name):
        raise not_found()
    return name
