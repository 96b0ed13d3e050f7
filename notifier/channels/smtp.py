"""Email through an SMTP server: kept connections, each driven phase by phase."""

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass, field
from typing import Literal, cast

import aiosmtplib

from notifier.channels._mailbox import parse_sender
from notifier.channels._mime import Mail, compose
from notifier.channels._outcomes import UnsendableError, outcome_of, redact
from notifier.channels._smtp_replies import Phase, Reply, parse_reply, queue_id, rule_for
from notifier.errors import SettingsError
from notifier.notification import Message, Outcome, Permanent, Sent, Systemic, Transient, Unknown
from notifier.ports import Clock

_GOODBYE_S = 2.0
_START_INPUT = 354
_CLOSING = 421
_AUTH_METHODS = ("plain", "login", "cram-md5")
_TRY_ANOTHER_METHOD = (504, 534)
_HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """How to reach an SMTP server and as whom to send.

    `sender` is `Name <name@domain>` or an address. `security` is `starttls` (required, never
    only tried), `tls` from the first byte, or `none`, which allows no login. `ca_file` holds
    the certificates to trust instead of the system's. One `send` takes at most `timeout_s`; a
    kept connection that does not answer for `reuse_timeout_s` is given up for a fresh one.
    """

    host: str
    sender: str
    port: int = 587
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str | None = None
    helo_name: str | None = None
    timeout_s: float = 30
    max_connections: int = 10
    max_mails_per_connection: int = 100
    max_idle_s: float = 30
    reuse_timeout_s: float = 5


class SmtpAdapter:
    """Hands mails to one SMTP server; needs no running loop until the first `send`.

    At most `max_connections` mails are under way; others wait, within their own time-out.

    Raises:
        SettingsError: the sender, the login or the certificates cannot be used.
    """

    provider = "smtp"

    def __init__(self, config: SmtpConfig, clock: Clock) -> None:
        if config.username is not None and config.security == "none":
            raise SettingsError("smtp security: none allows no login; use starttls or tls")
        self._config = config
        self._clock = clock
        self._sender = parse_sender(config.sender)
        self._tls = None if config.security == "none" else _tls_context(config.ca_file)
        self._helo_name = config.helo_name or _host_name()
        self._room = asyncio.Semaphore(config.max_connections)
        self._kept: list[_Link] = []
        self._is_closed = False

    async def send(self, message: Message) -> Outcome:
        progress = _Progress()
        try:
            mail = compose(message, self._sender, self._clock.now())
            async with asyncio.timeout(self._config.timeout_s), self._room:
                reply = await self._hand_over(mail, progress)
                return Sent(queue_id(reply.text))
        # The port promises a value, whatever a server or a library comes up with.
        except Exception as error:  # noqa: BLE001
            return self._explain(error, progress.phase, message)

    async def close(self) -> None:
        self._is_closed = True
        kept, self._kept = self._kept, []
        await asyncio.gather(*(link.quit() for link in kept))

    async def _hand_over(self, mail: Mail, progress: "_Progress") -> Reply:
        kept = self._take_kept()
        if kept is not None:
            try:
                return await self._carry(kept, mail, progress)
            except Exception as error:
                if not _is_stale(error, progress.phase):
                    raise
        link = _Link(self._config, self._tls, self._helo_name)
        return await self._carry(link, mail, progress)

    async def _carry(self, link: "_Link", mail: Mail, progress: "_Progress") -> Reply:
        is_intact = False
        try:
            await link.open(progress)
            reply = await link.carry(mail, progress)
            is_intact = True
        except _RefusedError as error:
            is_intact = error.leaves_link_usable
            raise
        except UnsendableError:
            is_intact = True
            raise
        finally:
            self._release(link, is_intact=is_intact)
        return reply

    def _take_kept(self) -> "_Link | None":
        now_s = self._clock.monotonic_s()
        while self._kept:
            link = self._kept.pop()
            if link.is_connected and link.idle_s(now_s) < self._config.max_idle_s:
                return link
            link.abort()
        return None

    def _release(self, link: "_Link", *, is_intact: bool) -> None:
        if is_intact and not self._is_closed and link.is_reusable:
            link.idle_since_s = self._clock.monotonic_s()
            self._kept.append(link)
        else:
            link.abort()

    def _explain(self, error: Exception, phase: Phase, message: Message) -> Outcome:
        match error:
            case UnsendableError():
                return Permanent(error.code, str(error))
            case _RefusedError():
                return self._judge(error.reply, phase, message)
            case _MisconfiguredError():
                return Systemic(error.code, str(error))
            case aiosmtplib.SMTPResponseException():
                return self._judge(parse_reply(error.code, error.message), phase, message)
            case _:
                return _explain_break(error, phase)

    def _judge(self, reply: Reply, phase: Phase, message: Message) -> Outcome:
        rule = rule_for(phase, reply)
        secrets = (self._config.username or "", self._config.password or "")
        text = redact(reply.text, message, secrets)
        return outcome_of(rule.verdict, reply.label, f"{phase}: {text}", rule.at_least_s)


@dataclass(slots=True)
class _Progress:
    """How far one `send` got."""

    phase: Phase = Phase.CONNECT


class _RefusedError(Exception):
    """The server's reply was not the one hoped for."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(str(code))
        self.reply = parse_reply(code, text)

    @property
    def leaves_link_usable(self) -> bool:
        return self.reply.code // 100 in (4, 5) and self.reply.code != _CLOSING


class _MisconfiguredError(Exception):
    """Nothing would get through to this server as it or we are set up."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Link:
    """One connection. Every method that fails leaves it to its caller to `abort` it."""

    def __init__(self, config: SmtpConfig, tls: ssl.SSLContext | None, helo_name: str) -> None:
        self._config = config
        self._client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            local_hostname=helo_name,
            timeout=None,
            use_tls=config.security == "tls",
            start_tls=False,
            tls_context=tls,
        )
        self._transport: asyncio.BaseTransport | None = None
        self._mails = 0
        self._has_open_transaction = False
        self.idle_since_s: float | None = None

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected

    @property
    def is_reusable(self) -> bool:
        return self.is_connected and self._mails < self._config.max_mails_per_connection

    def idle_s(self, now_s: float) -> float:
        return 0.0 if self.idle_since_s is None else now_s - self.idle_since_s

    async def open(self, progress: _Progress) -> None:
        """Connect, encrypt and log in, unless that was done before."""
        if self._transport is not None:
            return
        progress.phase = Phase.CONNECT
        await self._client.connect()
        self._transport = self._client.transport
        await self._ehlo(progress)
        if self._config.security == "starttls":
            await self._start_tls(progress)
            await self._ehlo(progress)
        if self._config.username is not None:
            await self._log_in(progress, self._config.username, self._config.password or "")

    async def carry(self, mail: Mail, progress: _Progress) -> Reply:
        """Hand over one mail; returns the server's word that it took it."""
        await self._begin(mail, progress)
        await self._step(progress, Phase.RCPT, b"RCPT", b"TO:<%b>" % mail.recipient.encode())
        await self._step(progress, Phase.DATA, b"DATA", expected=_START_INPUT)
        reply = await self._hand_over_content(mail.content, progress)
        self._has_open_transaction = False
        self._mails += 1
        if reply.code // 100 != 2:  # noqa: PLR2004 - RFC 5321's "positive completion"
            raise _RefusedError(reply.code, reply.message)
        return parse_reply(reply.code, reply.message)

    async def quit(self) -> None:
        """Say goodbye, for two seconds at most, and close."""
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._client.execute_command(b"QUIT")
        except (aiosmtplib.SMTPException, OSError):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once, waiting neither for the server nor for what is not yet written."""
        transport = self._client.transport or self._transport
        if transport is not None:
            _writable(transport).abort()
        self._client.close()

    async def _ehlo(self, progress: _Progress) -> None:
        progress.phase = Phase.EHLO
        await self._client.ehlo()

    async def _start_tls(self, progress: _Progress) -> None:
        if not self._client.supports_extension("starttls"):
            raise _MisconfiguredError("starttls_missing", "the server does not offer STARTTLS")
        progress.phase = Phase.STARTTLS
        await self._client.starttls()
        self._transport = self._client.transport

    async def _log_in(self, progress: _Progress, username: str, password: str) -> None:
        progress.phase = Phase.AUTH
        offered = [name for name in _AUTH_METHODS if name in self._client.server_auth_methods]
        logins = {
            "plain": self._client.auth_plain,
            "login": self._client.auth_login,
            "cram-md5": self._client.auth_crammd5,
        }
        for name in offered:
            try:
                await logins[name](username, password)
            except aiosmtplib.SMTPAuthenticationError as error:
                if error.code not in _TRY_ANOTHER_METHOD or name == offered[-1]:
                    raise
            else:
                return
        raise _MisconfiguredError("auth_missing", "the server offers no login that we know")

    async def _begin(self, mail: Mail, progress: _Progress) -> None:
        # A server that went away without a word must not cost the whole time-out.
        limit_s = None if self.idle_since_s is None else self._config.reuse_timeout_s
        progress.phase = Phase.MAIL
        async with asyncio.timeout(limit_s):
            if self._has_open_transaction:
                await self._step(progress, Phase.MAIL, b"RSET")
                self._has_open_transaction = False
            options = self._mail_options(mail)
            sender = b"FROM:<%b>" % mail.sender.encode()
            await self._step(progress, Phase.MAIL, b"MAIL", sender, *options)
            self._has_open_transaction = True

    def _mail_options(self, mail: Mail) -> list[bytes]:
        options = []
        if self._client.supports_extension("size"):
            options.append(b"SIZE=%d" % len(mail.content))
        if mail.needs_smtputf8:
            if not self._client.supports_extension("smtputf8"):
                raise UnsendableError("smtputf8", "the server takes no non-ASCII addresses")
            options.append(b"SMTPUTF8")
        return options

    async def _step(
        self, progress: _Progress, phase: Phase, *command: bytes, expected: int = 250
    ) -> None:
        progress.phase = phase
        reply = await self._client.execute_command(*command)
        if reply.code // 100 != expected // 100:
            raise _RefusedError(reply.code, reply.message)

    async def _hand_over_content(
        self, content: bytes, progress: _Progress
    ) -> aiosmtplib.SMTPResponse:
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        protocol.write(content)
        progress.phase = Phase.CONTENT
        try:
            return await protocol.read_response()
        except asyncio.CancelledError:
            if self._transport and _writable(self._transport).get_write_buffer_size():
                # Its final dot never left, and after `abort` it never will.
                progress.phase = Phase.DATA
            raise


def _writable(transport: asyncio.BaseTransport) -> asyncio.WriteTransport:
    # uvloop's transports are such, and do not say so.
    return cast("asyncio.WriteTransport", transport)


def _is_stale(error: Exception, phase: Phase) -> bool:
    if phase is Phase.CONTENT:
        return False
    if isinstance(error, _RefusedError):
        return error.reply.code == _CLOSING
    return isinstance(error, (ConnectionError, TimeoutError))


def _explain_break(error: Exception, phase: Phase) -> Outcome:
    if phase is Phase.CONTENT:
        return Unknown(_break_code(error), "the link broke after the content was on its way")
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return Systemic("tls", f"{phase}: {cause.reason or type(cause).__name__}")
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


def _host_name() -> str:
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) else "[127.0.0.1]"
