"""What an opening that failed says to whoever set it up."""

import socket

import aiosmtplib

from notifier.channels.email.replies import Phase
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.diagnosis import MisconfiguredError
from notifier.channels.email.smtp.oauth.tokens import NoTokenError
from notifier.channels.email.smtp.opening import OpeningError
from notifier.providers.handshake import Trouble


def trouble_of(error: Exception, config: SmtpConfig) -> Trouble:
    """Return what was in the way of a handshake."""
    match error:
        case OpeningError(cause=MisconfiguredError() as cause):
            return Trouble(str(cause), "see the settings that it names")
        case OpeningError(cause=NoTokenError() as cause):
            return Trouble(cause.reason.message, f"see {config.variable('OAUTH_...')}")
        case OpeningError(cause=aiosmtplib.SMTPResponseException()):
            return Trouble(
                f"{error.phase}: the server refused: {error.label}", _after(error, config)
            )
        case OpeningError():
            return Trouble(f"{error.phase}: {broken(error.cause, config)}", _door(config))
        case _:
            return Trouble(f"after login: {broken(error, config)}", _door(config))


def _after(error: OpeningError, config: SmtpConfig) -> str:
    if error.phase is Phase.AUTH:
        return f"see {config.variable('USERNAME')} and {config.variable('PASSWORD')}"
    return "see the server's log for why it turns this machine away"


def broken(cause: Exception, config: SmtpConfig) -> str:
    """Return how a connection came to nothing, where no reply says why."""
    if isinstance(cause, TimeoutError):
        return f"no answer in time ({config.variable('TIMEOUT_S')} is {config.timeout_s:g})"
    match cause.__cause__ or cause:
        case ConnectionRefusedError():
            return f"nothing listens on port {config.port}"
        case socket.gaierror():
            return "the host's name is not found"
        case reason:
            return f"the connection broke ({type(reason).__name__})"


def _door(config: SmtpConfig) -> str:
    return (
        f"see {config.variable('HOST')} and {config.variable('PORT')}, and whether a firewall "
        "lets this machine through"
    )
