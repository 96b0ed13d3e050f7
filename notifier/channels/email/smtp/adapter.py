"""Email through an SMTP server: kept connections, each driven phase by phase."""

import asyncio
import re
import socket
import ssl
from dataclasses import replace

import aiosmtplib
import structlog

from notifier.channels._outcomes import UnsendableError, redact
from notifier.channels.email.mailbox import parse_sender
from notifier.channels.email.mime import Mail, compose
from notifier.channels.email.own_sender import judged_by_its_sender
from notifier.channels.email.replies import Phase, Reply, parse_reply, ruling
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.connections import Connections, Limits, NotOpenedError
from notifier.channels.email.smtp.diagnosis import MisconfiguredError, unusual_mode
from notifier.channels.email.smtp.handshake import trouble_of
from notifier.channels.email.smtp.oauth.tokens import NoTokenError, Tokens
from notifier.channels.email.smtp.opening import Opening, OpeningError
from notifier.channels.email.smtp.replies import queue_id
from notifier.channels.email.smtp.session import (
    CLOSING,
    NOT_LOGGED_IN,
    Progress,
    RefusedError,
    Session,
)
from notifier.channels.email.smtp.trial import failed_trial, steps
from notifier.channels.refusals.blame import outcome_of
from notifier.channels.trials import bare
from notifier.clock import Clock
from notifier.errors import SettingsError
from notifier.notification.model import Message
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from notifier.providers.handshake import Trouble
from notifier.providers.trial import Trial

log = structlog.get_logger(__name__)

# Meanwhile other processes give back what they do not need, and we find room.
_ASK_AGAIN_S = 4.0
_ASK_AGAIN_LATEST_S = 60.0
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_ADDRESS_LITERAL = re.compile(r"\[(\d{1,3}(\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]+)\]", re.ASCII)


class SmtpAdapter:
    """Hands mails to one SMTP server; needs no running loop until the first `send`.

    A mail goes over the first connection to be had, kept, freed or opened, and waits for it within
    its own time-out. There are as many as the server bears, `max_connections` at most.

    Raises:
        SettingsError: the sender, the login or the certificates cannot be used.
    """

    def __init__(self, config: SmtpConfig, clock: Clock, tokens: Tokens | None = None) -> None:
        if config.username is not None and config.security == "none":
            raise SettingsError("smtp security: none allows no login; use starttls or tls")
        self.provider = config.provider
        self._config = config
        self._clock = clock
        self._tokens = tokens
        self._sender = parse_sender(config.sender)
        self._tls = None if config.security == "none" else _tls_context(config.ca_file)
        self._helo_name = _helo_name(config.helo_name)
        limits = Limits(
            most=config.max_connections,
            max_idle_s=config.max_idle_s,
            patience_s=config.full_patience_s,
        )
        self._connections = Connections(self._open, _is_full, limits, clock)
        self._has_worked = False
        if odd := unusual_mode(config):
            log.warning("smtp.unusual_mode", provider=self.provider, problem=odd)

    async def send(self, message: Message) -> Outcome:
        progress = Progress()
        try:
            return await self._sent(message, progress)
        # The port promises a value, whatever a server or a library comes up with.
        except Exception as error:  # noqa: BLE001
            return self._explain(error, progress.phase, message)

    async def try_out(self, message: Message) -> Trial:
        progress = Progress()
        try:
            taken = await self._sent(message, progress)
        # As with `send`.
        except Exception as error:  # noqa: BLE001
            outcome = self._explain(error, progress.phase, bare(message))
            return failed_trial(outcome, error, progress.phase, self._config)
        return Trial(outcome=taken, steps=steps(self._config))

    async def handshake(self) -> Trouble | None:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                session = await self._open()
                try:
                    await session.prove()
                finally:
                    await session.quit()
        # As with `send`.
        except Exception as error:  # noqa: BLE001
            return trouble_of(error, self._config)
        return None

    async def close(self) -> None:
        await self._connections.close()
        if self._tokens is not None:
            await self._tokens.close()

    async def _open(self) -> Session:
        if self._tokens is None:
            return await self._opened(None)
        token = await _good(self._tokens)
        try:
            return await self._opened(token)
        except OpeningError as error:
            if not error.is_refused_login:
                raise
        # It may have ended or been revoked before its time; over a connection of its own, since
        # not every server goes on after a refusal.
        return await self._opened(await _good(self._tokens, instead_of=token))

    async def _opened(self, token: str | None) -> Session:
        opening = Opening(
            self._config, self._tls, self._helo_name, token, has_worked=self._has_worked
        )
        session = await opening.run()
        self._has_worked = True
        return session

    async def _sent(self, message: Message, progress: Progress) -> Sent:
        mail = compose(message, self._sender, self._clock.now(), self._config.headers)
        async with asyncio.timeout(self._config.timeout_s):
            reply = await self._hand_over(mail, progress)
        return Sent(queue_id(reply.text))

    async def _hand_over(self, mail: Mail, progress: Progress) -> Reply:
        session = await self._connections.take()
        while True:
            was_idle = session.idle_since_s is not None
            try:
                return await self._carry(session, mail, progress)
            except Exception as error:
                if not (was_idle and _is_stale(error, progress.phase)):
                    raise
            progress.phase = Phase.CONNECT
            session = await self._connections.take(proven=True)

    async def _carry(self, session: Session, mail: Mail, progress: Progress) -> Reply:
        is_intact = False
        try:
            reply = await session.carry(mail, progress)
            is_intact = True
        except RefusedError as error:
            is_intact = error.leaves_session_usable
            raise
        except UnsendableError:
            is_intact = True
            raise
        finally:
            self._connections.release(session, is_intact=is_intact)
        return reply

    def _explain(self, error: Exception, phase: Phase, message: Message) -> Outcome:
        match error:
            case UnsendableError():
                return Permanent(error.code, str(error))
            case NotOpenedError(__cause__=OpeningError() as opening):
                return self._explain_opening(opening, message)
            case RefusedError():
                return self._judge(error.reply, phase, message)
            case TimeoutError() if phase is Phase.CONNECT:
                # Its turn never came: others' mails and openings took all the time there was.
                return Transient(
                    "no_connection",
                    "no connection became free in time",
                    _ASK_AGAIN_S,
                    throttled=True,
                )
            case _:
                return _explain_break(error, phase)

    def _explain_opening(self, error: OpeningError, message: Message) -> Outcome:
        match error.cause:
            case MisconfiguredError() as cause:
                log.error("smtp.misconfigured", provider=self.provider, problem=str(cause))
                return Systemic(cause.code, str(cause))
            case NoTokenError() as no_token:
                return no_token.reason
            case aiosmtplib.SMTPResponseException() as cause:
                outcome = self._judge(parse_reply(cause.code, cause.message), error.phase, message)
                if self._tokens is not None and error.is_refused_login:
                    return self._explain_refused_token(outcome)
            case cause:
                outcome = _explain_break(cause, error.phase)
        if error.is_for_now and isinstance(outcome, Transient):
            # It looked at no mail, so no attempt was made.
            again_s = min(max(self._connections.full_for_s / 4, _ASK_AGAIN_S), _ASK_AGAIN_LATEST_S)
            return replace(outcome, retry_after_s=again_s, throttled=True)
        return outcome

    def _explain_refused_token(self, outcome: Outcome) -> Outcome:
        """Say what to look at, where the server did not accept a token that was just renewed."""
        if not isinstance(outcome, Systemic):
            return outcome
        advice = (
            f"{outcome.message}; its token is fresh: see that "
            f"{self._config.variable('USERNAME')} is the mailbox that it is for, and that this "
            "mailbox may log in by SMTP"
        )
        log.error("smtp.misconfigured", provider=self.provider, problem=advice)
        return replace(outcome, message=advice)

    def _judge(self, reply: Reply, phase: Phase, message: Message) -> Outcome:
        found = ruling(phase, reply)
        outcome = outcome_of(
            found.blame,
            reply.label,
            self._redacted(reply, phase, message),
            found.at_least_s,
            in_exchange_about_one=phase.is_about_one,
        )
        return judged_by_its_sender(outcome, message, reply.text, reply.enhanced)

    def _redacted(self, reply: Reply, phase: Phase, message: Message) -> str:
        secrets = (self._config.username or "", self._config.password or "")
        return f"{phase}: {redact(reply.text, message, secrets)}"


async def _good(tokens: Tokens, *, instead_of: str | None = None) -> str:
    found = await tokens.get(instead_of=instead_of)
    if isinstance(found, str):
        return found
    raise OpeningError(Phase.AUTH, NoTokenError(found))


def _is_full(error: Exception) -> bool:
    return isinstance(error, OpeningError) and error.is_full


def _is_stale(error: Exception, phase: Phase) -> bool:
    if phase is Phase.CONTENT:
        return False
    if isinstance(error, RefusedError):
        return error.reply.code in (CLOSING, NOT_LOGGED_IN)
    return isinstance(error, (ConnectionError, TimeoutError))


def _explain_break(error: Exception, phase: Phase) -> Outcome:
    if phase is Phase.CONTENT:
        return Unknown(_break_code(error), "the link broke after the content was on its way")
    return Transient(_break_code(error), f"{phase}: {type(error).__name__}")


def _break_code(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    match error.__cause__ or error:
        case ConnectionRefusedError():
            return "connection_refused"
        case socket.gaierror():
            return "dns"
        case OSError():
            return "connection_lost"
        case _:
            return "unexpected"


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(f"smtp ca_file: no certificates in {ca_file}") from error


def _helo_name(configured: str | None) -> str:
    if configured is None:
        name = socket.gethostname()
        return name if _HOST_NAME.fullmatch(name) and "." in name else "[127.0.0.1]"
    if not (_HOST_NAME.fullmatch(configured) or _ADDRESS_LITERAL.fullmatch(configured)):
        raise SettingsError(
            f"smtp helo_name: {configured!r} is neither a host's name nor an address in brackets"
        )
    return configured
