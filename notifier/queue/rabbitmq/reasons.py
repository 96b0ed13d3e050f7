"""Why the broker does not do what it was asked: its own words, which hold no value of ours.

Of aio-pika's, aiormq's and pika's exceptions alike, which have the same names.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

ALARM = "one of its alarms is on (memory or disk)"

_WRONG_LOGIN = "it refuses the user or the password (403 ACCESS_REFUSED)"
# aiormq does not read why; the vhost is the one thing that is asked for there.
_NO_VHOST = "it opens no such vhost: there is none, or not for this user (530 NOT_ALLOWED)"
_CONNECTING: Mapping[str, str] = MappingProxyType(
    {
        "AuthenticationError": _WRONG_LOGIN,
        "ProbableAuthenticationError": _WRONG_LOGIN,
        "ConnectionNotAllowed": _NO_VHOST,
        "InvalidFrameError": _NO_VHOST,
        "ProbableAccessDeniedError": _NO_VHOST,
        "IncompatibleProtocolError": "what answers there does not speak AMQP 0-9-1",
    }
)
_NETWORK: Sequence[tuple[type[OSError], str]] = (
    (socket.gaierror, "its host's name is not known"),
    (ssl.SSLError, "no agreement on TLS"),
    (ConnectionRefusedError, "nothing listens at its address"),
)
_REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "ChannelAccessRefused": "the user lacks a permission on the vhost (403 ACCESS_REFUSED)",
        "ChannelNotFoundEntity": "an exchange or queue is missing (404 NOT_FOUND): "
        "run notifier topology apply",
        "ChannelPreconditionFailed": "an exchange or queue is there with other arguments "
        "(406 PRECONDITION_FAILED)",
    }
)


def of_connecting(error: BaseException) -> str:
    """Say why there is no connection."""
    for cause in _causes(error):
        name = type(cause).__name__
        network = next((words for kind, words in _NETWORK if isinstance(cause, kind)), None)
        if words := _CONNECTING.get(name) or network:
            return f"{words}: see NOTIFIER_BROKER_URL"
        if name in _REFUSALS:
            return _REFUSALS[name]
    return "it does not answer"


def of_refusal(error: BaseException) -> str:
    """Say why it closed a channel."""
    name = type(error).__name__
    return _REFUSALS.get(name, f"it refuses ({name})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from, the outermost first; each once, for they may circle."""
    found: dict[int, BaseException] = {}
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in found:
            found[id(cause)] = cause
            # Where pika keeps them.
            kept = (*cause.args, getattr(cause, "exception", None))
            waiting[:0] = [*kept, cause.__cause__ or cause.__context__]
    yield from found.values()
