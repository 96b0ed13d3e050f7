"""How far a test came at a mail server, and what was in the way."""

import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

import aiosmtplib

from notifier.channels.email.own_sender import is_about_sender
from notifier.channels.email.replies import Phase
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.connections import NotOpenedError
from notifier.channels.email.smtp.diagnosis import MisconfiguredError
from notifier.channels.email.smtp.handshake import broken, trouble_of
from notifier.channels.email.smtp.opening import OpeningError
from notifier.channels.email.smtp.session import NOT_LOGGED_IN, RefusedError
from notifier.channels.trials import Hints, advice_on
from notifier.notification.outcomes import Outcome, Sent
from notifier.providers.trial import Step, Trial
from notifier.settings.environment import PREFIX

_BY_PHASE: Final[Mapping[Phase, Step]] = {
    Phase.CONNECT: Step.CONNECT,
    Phase.EHLO: Step.GREETING,
    Phase.STARTTLS: Step.TLS,
    Phase.AUTH: Step.LOGIN,
    Phase.MAIL: Step.SENDER,
    Phase.RCPT: Step.RECIPIENT,
    Phase.DATA: Step.CONTENT,
    Phase.CONTENT: Step.CONTENT,
}
_BY_CODE: Final[Mapping[str, Step]] = {
    "dns": Step.DNS,
    "tls": Step.TLS,
    "tls_mode": Step.TLS,
    "starttls_missing": Step.TLS,
    "not_smtp": Step.GREETING,
}


def steps(config: SmtpConfig) -> Sequence[Step]:
    """Return what a mail gets through on its way to this server."""
    login = () if config.username is None else (Step.LOGIN,)
    greeting = {
        "tls": (Step.TLS, Step.GREETING),
        "starttls": (Step.GREETING, Step.TLS),
        "none": (Step.GREETING,),
    }[config.security]
    mail = (Step.SENDER, Step.RECIPIENT, Step.CONTENT)
    return (Step.DNS, Step.CONNECT, *greeting, *login, *mail)


def failed_trial(outcome: Outcome, error: Exception, phase: Phase, config: SmtpConfig) -> Trial:
    """Return what came of a mail that met `error` in `phase`; `outcome` is what it comes to."""
    met = error.__cause__ if isinstance(error, NotOpenedError) else error
    if isinstance(met, OpeningError):
        at, trouble = _step_of_opening(met), trouble_of(met, config)
        detail = _words(outcome) if _has_reply(met) else trouble.problem
        return _trial(outcome, at, detail, trouble.advice, config)
    at = _step(error, phase)
    detail = _words(outcome) if isinstance(error, RefusedError) else broken(error, config)
    return _trial(outcome, at, detail, advice_on(at, outcome, _hints(config)), config)


def _trial(outcome: Outcome, at: Step, detail: str, advice: str, config: SmtpConfig) -> Trial:
    return Trial(outcome=outcome, steps=steps(config), failed_at=at, detail=detail, advice=advice)


def _words(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Sent) else outcome.message


def _has_reply(error: OpeningError) -> bool:
    return isinstance(error.cause, aiosmtplib.SMTPResponseException)


def _step_of_opening(error: OpeningError) -> Step:
    match error.cause:
        case MisconfiguredError(code=code) if code in _BY_CODE:
            return _BY_CODE[code]
        case aiosmtplib.SMTPResponseException() if error.phase is Phase.CONNECT:
            return Step.GREETING
    match error.cause.__cause__ or error.cause:
        case socket.gaierror():
            return Step.DNS
        case ssl.SSLError():
            return Step.TLS
        case _:
            return _BY_PHASE[error.phase]


def _step(error: Exception, phase: Phase) -> Step:
    if isinstance(error, RefusedError):
        reply = error.reply
        if reply.code == NOT_LOGGED_IN:
            return Step.LOGIN
        # Servers that judge the sender only once they know the recipient.
        if phase is Phase.RCPT and is_about_sender(reply.text, reply.enhanced):
            return Step.SENDER
    return _BY_PHASE[phase]


def _hints(config: SmtpConfig) -> Hints:
    return Hints(
        door=f"{config.variable('HOST')} and {config.variable('PORT')}",
        login=f"{config.variable('USERNAME')} and {config.variable('PASSWORD')}",
        sender=f"{PREFIX}EMAIL__SENDER",
    )
