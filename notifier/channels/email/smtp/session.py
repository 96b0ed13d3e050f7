"""One connection to an SMTP server, and a mail on its way over it, phase by phase."""

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from notifier.channels._outcomes import UnsendableError
from notifier.channels.email.mime import Mail
from notifier.channels.email.replies import Phase, Reply, parse_reply
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.wire import RawReply, SmtpWire

CLOSING = 421
NOT_LOGGED_IN = 530
"""What a server says that has forgotten a login: one may end with its token."""
_GOODBYE_S = 2.0
_POSITIVE = 2
_START_INPUT = 354


@dataclass(slots=True)
class Progress:
    """How far one `send` got."""

    phase: Phase = Phase.CONNECT


class RefusedError(Exception):
    """The server's reply was not the one hoped for."""

    def __init__(self, reply: RawReply) -> None:
        super().__init__(str(reply.code))
        self.reply = parse_reply(reply.code, reply.text)

    @property
    def leaves_session_usable(self) -> bool:
        return is_plain_refusal(self.reply.code) and self.reply.code != NOT_LOGGED_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What the server said that it can do."""

    size: bool
    max_bytes: int = 0
    """Of a mail; 0 if it does not say."""
    smtputf8: bool
    pipelining: bool


class _Step(NamedTuple):
    """A command, and the class of reply that it hopes for."""

    phase: Phase
    command: bytes
    hoped_for: int = _POSITIVE


_RSET = _Step(Phase.MAIL, b"RSET")
_NOOP = _Step(Phase.MAIL, b"NOOP")
_DATA = _Step(Phase.DATA, b"DATA", _START_INPUT // 100)


class Session:
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

    def __init__(self, config: SmtpConfig, wire: SmtpWire, offers: Offers) -> None:
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

    async def carry(self, mail: Mail, progress: Progress) -> Reply:
        """Hand over one mail; returns the server's word that it took it."""
        progress.phase = Phase.MAIL
        await self._announce(self._steps(mail), progress)
        reply = await self._hand_over_content(mail, progress)
        self._has_open_transaction = False
        self._mails += 1
        if reply.code // 100 != _POSITIVE:
            raise RefusedError(reply)
        return parse_reply(reply.code, reply.text)

    async def prove(self) -> None:
        """Ask for a reply, by a command that does nothing."""
        await self._take(_NOOP, Progress())

    async def quit(self) -> None:
        """Say goodbye, for two seconds at most, and close."""
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._read_unread()
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
        if 0 < self._offers.max_bytes < len(mail.content):
            raise UnsendableError("too_large", self._too_large(mail))
        utf8 = b""
        if mail.needs_smtputf8:
            if not self._offers.smtputf8:
                raise UnsendableError("smtputf8", "the server takes no non-ASCII addresses")
            utf8 = b" SMTPUTF8"
        begin = b"MAIL FROM:<%b>%b%b" % (mail.sender.encode(), size, utf8)
        recipient = b"RCPT TO:<%b>" % mail.recipient.encode()
        steps = [_Step(Phase.MAIL, begin), _Step(Phase.RCPT, recipient), _DATA]
        return [_RSET, *steps] if self._has_open_transaction else steps

    def _too_large(self, mail: Mail) -> str:
        most = self._offers.max_bytes
        return f"the mail has {len(mail.content)} bytes, and the server takes {most} at most"

    async def _announce(self, steps: list[_Step], progress: Progress) -> None:
        opening, rest = steps[:-2], steps[-2:]
        # A server that went away without a word must not cost the whole time-out.
        limit = (
            None if self.idle_since_s is None else self._wire.limit(self._config.reuse_timeout_s)
        )
        try:
            await self._read_unread()
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

    async def _take(self, step: _Step, progress: Progress) -> None:
        progress.phase = step.phase
        if not self._unanswered:
            self._wire.send(step.command)
            self._unanswered.append(step)
        reply = await self._wire.read()
        del self._unanswered[0]
        if reply.code // 100 != step.hoped_for:
            raise RefusedError(reply)
        if step is _RSET:
            self._has_open_transaction = False

    async def _read_unread(self) -> None:
        """Read what a refusal left unread, so that the next reply is the next command's."""
        while self._unanswered:
            step = self._unanswered.pop(0)
            reply = await self._wire.read()
            if step is _DATA and reply.code == _START_INPUT:
                # No recipient stands: RFC 2920 has the mail ended by a single dot.
                self._wire.send(b".")
                reply = await self._wire.read()
                is_settled = reply.code // 100 == _POSITIVE or is_plain_refusal(reply.code)
            else:
                # A refused RSET leaves open whose transaction the rest was about.
                is_settled = step.phase is not Phase.MAIL and is_plain_refusal(reply.code)
            if not is_settled:
                raise ConnectionResetError("its replies no longer fit its commands")

    async def _hand_over_content(self, mail: Mail, progress: Progress) -> RawReply:
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


def is_plain_refusal(code: int) -> bool:
    """Whether the server refused and goes on with the connection."""
    return code // 100 in (4, 5) and code != CLOSING
