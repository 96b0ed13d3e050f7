"""Email through an SMTP server: kept connections, each driven phase by phase."""

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

import aiosmtplib

from notifier.channels._mailbox import parse_sender
from notifier.channels._mime import Mail, compose
from notifier.channels._outcomes import UnsendableError, outcome_of, redact
from notifier.channels._smtp_replies import Phase, Reply, parse_reply, queue_id, rule_for
from notifier.channels._smtp_wire import RawReply, SmtpWire
from notifier.errors import SettingsError
from notifier.notification import Message, Outcome, Permanent, Sent, Systemic, Transient, Unknown
from notifier.ports import Clock

_GOODBYE_S = 2.0
_POSITIVE = 2
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
        link = await _Opening(self._config, self._tls, self._helo_name).run(progress)
        return await self._carry(link, mail, progress)

    async def _carry(self, link: "_Link", mail: Mail, progress: "_Progress") -> Reply:
        is_intact = False
        try:
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
            if link.is_usable and link.idle_s(now_s) < self._config.max_idle_s:
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

    def __init__(self, reply: RawReply) -> None:
        super().__init__(str(reply.code))
        self.reply = parse_reply(reply.code, reply.text)

    @property
    def leaves_link_usable(self) -> bool:
        return _is_plain_refusal(self.reply.code)


class _MisconfiguredError(Exception):
    """Nothing would get through to this server as it or we are set up."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offers:
    """What the server said that it can do."""

    size: bool
    smtputf8: bool
    pipelining: bool


class _Opening:
    """A connection on its way up: connect, encrypt, log in."""

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

    async def run(self, progress: _Progress) -> "_Link":
        """Return a link that is ready for mails; one that fails is closed."""
        try:
            await self._open(progress)
            return self._link()
        except BaseException:
            self._abort()
            raise

    async def _open(self, progress: _Progress) -> None:
        progress.phase = Phase.CONNECT
        await self._client.connect()
        self._transport = self._client.transport
        await self._ehlo(progress)
        if self._config.security == "starttls":
            await self._start_tls(progress)
            await self._ehlo(progress)
        if self._config.username is not None:
            await self._log_in(progress, self._config.username, self._config.password or "")

    def _link(self) -> "_Link":
        # What aiosmtplib keeps of a connection is not needed for mails, and let go here.
        if self._client.transport is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        offers = _Offers(
            size=self._client.supports_extension("size"),
            smtputf8=self._client.supports_extension("smtputf8"),
            pipelining=self._client.supports_extension("pipelining"),
        )
        return _Link(self._config, SmtpWire(self._client.transport), offers)

    def _abort(self) -> None:
        transport = self._client.transport or self._transport
        if transport is not None:
            # uvloop's transports are such, and do not say so.
            cast("asyncio.WriteTransport", transport).abort()
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


class _Step(NamedTuple):
    """A command, and the class of reply that it hopes for."""

    phase: Phase
    command: bytes
    hoped_for: int = _POSITIVE


_RSET = _Step(Phase.MAIL, b"RSET")
_DATA = _Step(Phase.DATA, b"DATA", _START_INPUT // 100)


class _Link:
    """One connection, ready for mails. Where a method fails its caller decides what becomes of it.

    Where the server offers PIPELINING (RFC 2920), all commands of a mail go in one write.
    """

    __slots__ = (
        "_config",
        "_has_open_transaction",
        "_mails",
        "_offers",
        "_unanswered",
        "_wire",
        "idle_since_s",
    )

    def __init__(self, config: SmtpConfig, wire: SmtpWire, offers: _Offers) -> None:
        self._config = config
        self._wire = wire
        self._offers = offers
        self._mails = 0
        self._has_open_transaction = False
        self._unanswered: list[_Step] = []
        self.idle_since_s: float | None = None

    @property
    def is_usable(self) -> bool:
        return self._wire.is_open and self._wire.is_in_step

    @property
    def is_reusable(self) -> bool:
        return self.is_usable and self._mails < self._config.max_mails_per_connection

    def idle_s(self, now_s: float) -> float:
        return 0.0 if self.idle_since_s is None else now_s - self.idle_since_s

    async def carry(self, mail: Mail, progress: _Progress) -> Reply:
        """Hand over one mail; returns the server's word that it took it."""
        progress.phase = Phase.MAIL
        await self._announce(self._steps(mail), progress)
        reply = await self._hand_over_content(mail, progress)
        self._has_open_transaction = False
        self._mails += 1
        if reply.code // 100 != _POSITIVE:
            raise _RefusedError(reply)
        return parse_reply(reply.code, reply.text)

    async def quit(self) -> None:
        """Say goodbye, for two seconds at most, and close."""
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._settle()
                self._wire.send(b"QUIT")
                await self._wire.read()
        except OSError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once, waiting neither for the server nor for what is not yet written."""
        self._wire.abort()

    def _steps(self, mail: Mail) -> list[_Step]:
        size = b" SIZE=%d" % len(mail.content) if self._offers.size else b""
        utf8 = b""
        if mail.needs_smtputf8:
            if not self._offers.smtputf8:
                raise UnsendableError("smtputf8", "the server takes no non-ASCII addresses")
            utf8 = b" SMTPUTF8"
        begin = b"MAIL FROM:<%b>%b%b" % (mail.sender.encode(), size, utf8)
        recipient = b"RCPT TO:<%b>" % mail.recipient.encode()
        steps = [_Step(Phase.MAIL, begin), _Step(Phase.RCPT, recipient), _DATA]
        return [_RSET, *steps] if self._has_open_transaction else steps

    async def _announce(self, steps: list[_Step], progress: _Progress) -> None:
        opening, rest = steps[:-2], steps[-2:]
        # A server that went away without a word must not cost the whole time-out.
        limit = (
            None if self.idle_since_s is None else self._wire.limit(self._config.reuse_timeout_s)
        )
        try:
            await self._settle()
            if self._offers.pipelining:
                self._wire.send(*(step.command for step in steps))
                self._unanswered = steps.copy()
            for step in opening:
                await self._take(step, progress)
        finally:
            if limit is not None:
                limit.cancel()
        self._has_open_transaction = True
        for step in rest:
            await self._take(step, progress)

    async def _take(self, step: _Step, progress: _Progress) -> None:
        progress.phase = step.phase
        if not self._unanswered:
            self._wire.send(step.command)
            self._unanswered.append(step)
        reply = await self._wire.read()
        del self._unanswered[0]
        if reply.code // 100 != step.hoped_for:
            raise _RefusedError(reply)
        if step is _RSET:
            self._has_open_transaction = False

    async def _settle(self) -> None:
        """Read what a refusal left unread, so that the next reply is the next command's."""
        while self._unanswered:
            step = self._unanswered.pop(0)
            reply = await self._wire.read()
            if step is _DATA and reply.code == _START_INPUT:
                # No recipient stands: RFC 2920 has the mail ended by a single dot.
                self._wire.send(b".")
                reply = await self._wire.read()
                is_settled = reply.code // 100 == _POSITIVE or _is_plain_refusal(reply.code)
            else:
                # A refused RSET leaves open whose transaction the rest was about.
                is_settled = step.phase is not Phase.MAIL and _is_plain_refusal(reply.code)
            if not is_settled:
                raise ConnectionResetError("its replies no longer fit its commands")

    async def _hand_over_content(self, mail: Mail, progress: _Progress) -> RawReply:
        self._wire.send_content(mail.content)
        progress.phase = Phase.CONTENT
        mail.content = b""  # never sent twice, and hundreds may wait for their reply
        try:
            return await self._wire.read()
        except asyncio.CancelledError:
            if self._wire.has_unsent_bytes:
                # Its final dot never left, and after `abort` it never will.
                progress.phase = Phase.DATA
            raise


def _is_plain_refusal(code: int) -> bool:
    return code // 100 in (4, 5) and code != _CLOSING


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
