"""Why the broker does not do what it was asked: its own words, which hold no value of ours."""

import socket
import ssl
from collections.abc import Sequence

from aio_pika.exceptions import (
    AMQPChannelError,
    AuthenticationError,
    ChannelNotFoundEntity,
    IncompatibleProtocolError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ChannelAccessRefused, ConnectionNotAllowed

ALARM = "one of its alarms is on (memory or disk)"

_NO_VHOST = "it opens no such vhost: there is none, or not for this user (530 NOT_ALLOWED)"
_CONNECTING: Sequence[tuple[tuple[type[BaseException], ...], str]] = (
    (
        (AuthenticationError, ProbableAuthenticationError),
        "it refuses the user or the password (403 ACCESS_REFUSED)",
    ),
    # aiormq does not read why; the vhost is the one thing that is asked for there.
    ((ConnectionNotAllowed, InvalidFrameError), _NO_VHOST),
    ((IncompatibleProtocolError,), "what answers there does not speak AMQP 0-9-1"),
    ((socket.gaierror,), "its host's name is not known"),
    ((ssl.SSLError,), "no agreement on TLS"),
    ((ConnectionRefusedError,), "nothing listens at its address"),
)


def of_connecting(error: BaseException) -> str:
    """Say why there is no connection."""
    for cause in _causes(error):
        if isinstance(cause, AMQPChannelError):
            return of_refusal(cause)
        for kinds, words in _CONNECTING:
            if isinstance(cause, kinds):
                return f"{words}: see NOTIFIER_BROKER_URL"
    return "it does not answer"


def of_refusal(error: BaseException) -> str:
    """Say why it closed a channel."""
    match error:
        case ChannelAccessRefused():
            return "the user lacks a permission on the vhost (403 ACCESS_REFUSED)"
        case ChannelNotFoundEntity():
            return "an exchange or queue is missing (404 NOT_FOUND): run notifier topology apply"
        case _:
            return f"it refuses ({type(error).__name__})"


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it came from, the outermost first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
