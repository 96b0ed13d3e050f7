"""A real SMTP server for tests, that does what it is told: refuse, delay, hang up."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.patience import AT_ALL_S
from tests.servers.processes import LOOPBACK

Stage = Literal["MAIL", "RCPT", "DATA"]
Drop = Literal["before_dot", "after_dot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the server offers.

    STARTTLS needs `tls`; `credentials` (user to password) make it demand AUTH, over TLS only where
    there is TLS.
    """

    tls: ssl.SSLContext | None = None
    require_tls: bool = False
    credentials: dict[str, str] = field(default_factory=dict)
    smtputf8: bool = True


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One mail that the server got to the final dot, and took."""

    mail_from: str
    rcpt_tos: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...]
    over_tls: bool
    user: str | None


@dataclass(slots=True)
class _Rule:
    stage: Stage
    recipient: str | None
    times: int | None
    reply: str | None = None
    delay_s: float = 0.0
    drop: Drop | None = None

    def matches(self, stage: Stage, recipients: list[str]) -> bool:
        """Whether the rule is for this command and still has turns left."""
        for_recipient = self.recipient is None or self.recipient in recipients
        return stage == self.stage and for_recipient and self.times != 0


class SmtpServer:
    """A server on a free loopback port; what it took is in `received`, in order.

    A rule without a recipient holds for all, the newest rule that matches wins, and `times` says
    how often it holds before it is spent.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.received: list[ReceivedMail] = []
        self._rules: list[_Rule] = []

    def answer(
        self, stage: Stage, reply: str, *, recipient: str | None = None, times: int | None = None
    ) -> None:
        """Answer this command with `reply`, such as "451 4.3.0 try later"."""
        self._rules.append(_Rule(stage, recipient, times, reply=reply))

    def delay(
        self,
        stage: Stage,
        delay_s: float,
        *,
        recipient: str | None = None,
        times: int | None = None,
    ) -> None:
        """Answer this command (DATA: the final dot) after `delay_s` seconds, and do as usual."""
        self._rules.append(_Rule(stage, recipient, times, delay_s=delay_s))

    def drop(self, point: Drop, *, recipient: str | None = None, times: int | None = None) -> None:
        """Cut the connection: before the final dot, or after it and without an answer.

        After the dot the mail counts as taken, and is in `received`.
        """
        self._rules.append(_Rule("DATA", recipient, times, drop=point))

    def reset(self) -> None:
        """Forget the rules and the mails."""
        self._rules.clear()
        self.received.clear()

    def rule_for(self, stage: Stage, recipients: list[str]) -> _Rule | None:
        """Return the rule to follow now, and count it as used."""
        for rule in reversed(self._rules):
            if rule.matches(stage, recipients):
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None


class _Handler:
    """aiosmtpd's hooks: MISSING means: go on as usual."""

    def __init__(self, server: SmtpServer, offer: Offer) -> None:
        self._server = server
        self._offer = offer

    async def handle_EHLO(  # noqa: N802  aiosmtpd's name and arguments
        self,
        _protocol: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        if self._offer.credentials:
            return responses
        return [line for line in responses if not line.startswith("250-AUTH")]

    async def handle_MAIL(  # noqa: N802  aiosmtpd's name and arguments
        self,
        _protocol: SMTP,
        _session: Session,
        _envelope: Envelope,
        _address: str,
        _options: list[str],
    ) -> Any:
        return await self._follow(self._server.rule_for("MAIL", []))

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name and arguments
        self,
        _protocol: SMTP,
        _session: Session,
        _envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> Any:
        return await self._follow(self._server.rule_for("RCPT", [address]))

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, protocol: "_Protocol", session: Session, envelope: Envelope
    ) -> Any:
        rule, protocol.data_rule = protocol.data_rule, None
        refusal = await self._follow(rule)
        if refusal is not MISSING:
            return refusal
        self._server.received.append(_received(session, envelope))
        if rule is not None and rule.drop == "after_dot":
            protocol.hang_up()
        return MISSING

    async def _follow(self, rule: _Rule | None) -> Any:
        if rule is None:
            return MISSING
        if rule.delay_s:
            await asyncio.sleep(rule.delay_s)
        return rule.reply or MISSING


def _received(session: Session, envelope: Envelope) -> ReceivedMail:
    login: object = session.auth_data  # aiosmtpd declares it as None
    return ReceivedMail(
        mail_from=envelope.mail_from or "",
        rcpt_tos=tuple(envelope.rcpt_tos),
        content=envelope.original_content or b"",
        mail_options=tuple(envelope.mail_options),
        over_tls=session.ssl is not None,
        user=login.login.decode() if isinstance(login, LoginPassword) else None,
    )


class _Protocol(SMTP):
    """One connection; cuts itself off where a rule says so."""

    data_rule: _Rule | None = None

    def __init__(self, server: SmtpServer, offer: Offer, open_: "set[_Protocol]") -> None:
        super().__init__(
            _Handler(server, offer),
            hostname="localhost",
            enable_SMTPUTF8=offer.smtputf8,
            tls_context=offer.tls,
            require_starttls=offer.require_tls,
            auth_required=bool(offer.credentials),
            auth_require_tls=bool(offer.credentials) and offer.tls is not None,
            authenticator=_authenticator(offer.credentials),
        )
        self._server = server
        self._open = open_
        self._socket: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Called again, with the TLS layer, after STARTTLS.
        self._socket = self._socket or transport
        super().connection_made(transport)
        self._open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._open.discard(self)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  aiosmtpd's name
        recipients = self.envelope.rcpt_tos if self.envelope else []
        self.data_rule = self._server.rule_for("DATA", recipients) if recipients else None
        if self.data_rule is not None and self.data_rule.drop == "before_dot":
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._reader.readline()
            self.hang_up()
            return
        await super().smtp_DATA(arg)

    def hang_up(self) -> None:
        """Cut the connection without another word."""
        if isinstance(self._socket, asyncio.WriteTransport):
            self._socket.abort()


def _authenticator(credentials: dict[str, str]) -> Any:
    def authenticate(
        _protocol: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        good = credentials.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=good, handled=False, auth_data=data if good else None)

    return authenticate


@contextlib.contextmanager
def smtp_server(offer: Offer | None = None) -> Iterator[SmtpServer]:
    """Yield a server that runs in a thread of its own, with its own event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="smtp server")
    thread.start()
    running = _Running(offer or Offer())
    try:
        asyncio.run_coroutine_threadsafe(running.open(), loop).result(timeout=AT_ALL_S)
        yield running.server
    finally:
        try:
            asyncio.run_coroutine_threadsafe(running.close(), loop).result(timeout=AT_ALL_S)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class _Running:
    """The listening socket and the open connections, in the server's thread."""

    def __init__(self, offer: Offer) -> None:
        self.server = SmtpServer(LOOPBACK, 0)
        self._offer = offer
        self._connections: set[_Protocol] = set()
        self._listening: asyncio.Server | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._protocol, LOOPBACK, 0)
        self.server.port = self._listening.sockets[0].getsockname()[1]

    def _protocol(self) -> _Protocol:
        return _Protocol(self.server, self._offer, self._connections)

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        for connection in list(self._connections):
            connection.hang_up()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
