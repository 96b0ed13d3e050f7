"""Whom a request is about."""

from typing import Any

from notifier.api.kit.calls import Call
from notifier.api.kit.problems import invalid_parameter
from notifier.audience.user_id import user_id_fault


def named_person(call: Call[Any, Any]) -> str:
    """Return the user id in the path.

    Raises:
        ProblemError: 422, nobody can have it.
    """
    written: str = call.named("user_id")
    if fault := user_id_fault(written):
        raise invalid_parameter("user_id", fault)
    return written
