"""Whom a request is about."""

from typing import Any

from notifier.api.kit.calls import Call
from notifier.api.kit.middleware import ENCODED_SLASH
from notifier.api.kit.problems import invalid_parameter
from notifier.audience.recipient import normalise
from notifier.errors import RecipientError
from notifier.notification.model import Channel


def named_person(call: Call[Any, Any]) -> str:
    """Return the user id in the path.

    Raises:
        ProblemError: 422, nobody can have it.
    """
    written: str = call.named("user_id").replace(ENCODED_SLASH, "/")
    try:
        return normalise(Channel.IN_APP, written)
    except RecipientError as error:
        raise invalid_parameter("user_id", str(error)) from error
