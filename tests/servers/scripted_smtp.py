"""An SMTP server that does as it is told: refuses, stalls and drops at any phase.

It records every byte of content as it came over the wire. Use it inside the running loop:

    async with open_smtp() as smtp:
        smtp.script("RCPT", "550 5.1.1 unknown")   # the next RCPT; then it is friendly again
"""

import asyncio
import ssl
from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias, cast

from tests.patience import AT_ALL_S


@dataclass(frozen=True, slots=True)
class Drop:
    """Reset the connection instead of replying."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Never reply; `arrived` says that it came to this, `unread` what came after it."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    unread: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class ReplyThenDrop:
    """Reply, then close: what a server does that is going away."""

    reply: str


@dataclass(frozen=True, slots=True)
class StopReading:
    """For CONTENT: read none of it until `resumed` is set."""

    resumed: asyncio.Event = field(default_factory=asyncio.Event)


class Writes(Enum):
    """How replies are cut into writes."""

    BY_REPLY = auto()
    BY_BYTE = auto()
    GLUED = auto()
    """Replies up to DATA's wait for it, as RFC 2920 wants it of servers."""


Step: TypeAlias = str | Drop | Hang | ReplyThenDrop | StopReading


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as it came; `wire` still has its stuffed dots, without the final one."""

    sender: str
    recipients: tuple[str, ...]
    wire: bytes
    session: int

    @property
    def content(self) -> bytes:
        """The mail itself."""
        return self.wire.replace(b"\r\n..", b"\r\n.")


_MAX_BYTES = 64 * 2**20


class _GoneError(Exception):
    """This session is over."""


class SmtpServer:
    """Verbs to script: CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, CONTENT, RSET, NOOP, QUIT.

    RCPT without a sender and DATA without a recipient are refused, unless a step says otherwise.
    Beyond `bears` sessions at once there is a 421, or silence. CONTENT stands for the reply to the
    final dot; by then the mail is in `mails`, unless the step is a refusal.
    """

    def __init__(self, tls: ssl.SSLContext | None, credentials: tuple[str, str] | None) -> None:
        self.port = 0
        self.extensions = ["PIPELINING", "SIZE 10000000", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        self.writes = Writes.BY_REPLY
        self.auth_methods = "PLAIN LOGIN"
        self.takes_with = "250 2.0.0 OK: queued as Q{:06}"
        self.mails: list[Received] = []
        self.commands: list[str] = []
        self.sessions = 0
        self.open_sessions = 0
        self.bears: int | None = None
        self.greets_beyond = True
        self.tls = tls
        self.accepts_token: Callable[[str, str], bool] | None = None
        self._credentials = credentials
        self._steps: dict[str, deque[Step]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    def script(self, verb: str, *steps: Step) -> None:
        """Decide about the next occurrences of `verb`, one step each."""
        self._steps[verb].extend(steps)

    def drop_all(self) -> None:
        """Close every connection without a word."""
        for writer in self._writers:
            writer.transport.abort()

    async def wait_until_empty(self) -> None:
        """Return once no session is open; TimeoutError if that does not come."""
        async with asyncio.timeout(AT_ALL_S):
            while self.open_sessions:
                self._changed.clear()
                await self._changed.wait()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.open_sessions += 1
        self._writers.add(writer)
        session = _Session(self, reader, writer, self.sessions)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            with suppress(_GoneError, OSError, asyncio.IncompleteReadError):
                await session.run()
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self.open_sessions -= 1
            self._changed.set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def next_step(self, verb: str) -> Step | None:
        steps = self._steps[verb]
        return steps.popleft() if steps else None

    def accepts(self, username: str, password: str) -> bool:
        return (username, password) == self._credentials

    @property
    def is_full(self) -> bool:
        return self.bears is not None and self.open_sessions > self.bears

    @property
    def needs_login(self) -> bool:
        return self._credentials is not None or self.accepts_token is not None


class _Session:
    def __init__(
        self,
        server: SmtpServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._number = number
        self._transport = cast("asyncio.Transport", writer.transport)
        self._is_encrypted = False
        self._is_logged_in = not server.needs_login
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._held = b""

    async def run(self) -> None:
        if self._server.is_full:
            await self._turn_away()
        await self._reply("CONNECT", "220 stand-in ESMTP")
        while line := await self._reader.readline():
            command = line.decode().rstrip("\r\n")
            self._server.commands.append(command)
            await self._handle(command.split(" ")[0].upper(), command)

    async def _turn_away(self) -> None:
        if self._server.greets_beyond:
            await self._write("421 4.7.0 stand-in: too many connections from you")
        else:
            await self._reader.read()
        raise _GoneError

    async def _handle(self, verb: str, command: str) -> None:
        match verb:
            case "AUTH":
                await self._log_in(command)
            case "MAIL":
                await self._mail(command)
            case "RCPT":
                await self._rcpt(command)
            case "DATA":
                await self._data()
            case _:
                await self._handle_session(verb)

    async def _handle_session(self, verb: str) -> None:
        match verb:
            case "EHLO":
                await self._reply(verb, self._greeting())
            case "STARTTLS" if self._server.tls is not None and not self._is_encrypted:
                await self._start_tls(self._server.tls)
            case "NOOP":
                await self._reply(verb, "250 2.0.0 OK")
            case "RSET":
                if await self._reply(verb, "250 2.0.0 OK"):
                    self._reset()
            case "QUIT":
                await self._reply(verb, "221 2.0.0 bye")
                raise _GoneError
            case _:
                await self._reply(verb, "502 5.5.1 not implemented")

    def _greeting(self) -> str:
        lines = ["stand-in", *self._server.extensions]
        if self._server.tls is not None and not self._is_encrypted:
            lines.append("STARTTLS")
        if self._server.needs_login and (self._is_encrypted or self._server.tls is None):
            lines.append(f"AUTH {self._server.auth_methods}")
        return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])

    async def _start_tls(self, tls: ssl.SSLContext) -> None:
        if await self._reply("STARTTLS", "220 2.0.0 go on"):
            await self._writer.start_tls(tls)
            self._is_encrypted = True

    async def _log_in(self, command: str) -> None:
        words = command.split(" ")
        if words[1] in _ACKNOWLEDGEMENTS:
            await self._show_token(words[1], command)
            return
        if words[1].upper() == "PLAIN":
            _, username, password = b64decode(words[2]).decode().split("\0")
        else:
            username = b64decode(words[2]).decode()
            await self._write("334 UGFzc3dvcmQ6")
            password = b64decode(await self._reader.readline()).decode()
        is_right = self._server.accepts(username, password)
        usual = "235 2.7.0 welcome" if is_right else "535 5.7.8 bad credentials"
        self._is_logged_in = await self._reply("AUTH", usual) and is_right

    async def _show_token(self, method: str, command: str) -> None:
        """XOAUTH2 and OAUTHBEARER: a refusal is a challenge, told once that is acknowledged."""
        if len(command) + 2 > _LONGEST_COMMAND:
            await self._write("555 5.5.2 Syntax error, command line too long")
            return
        response = command.partition(f"{method} ")[2].encode()
        if not response:
            await self._write("334 ")
            response = await self._reader.readline()
        user, token = _bearer(method, b64decode(response).decode())
        accepts = self._server.accepts_token
        is_right = accepts is not None and accepts(user, token)
        if not is_right:
            await self._write("334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=")
            if await self._reader.readline() != _ACKNOWLEDGEMENTS[method]:
                await self._write("501 5.5.4 that is no acknowledgement")
                return
        usual = "235 2.7.0 Accepted" if is_right else "535 5.7.8 Username and Password not accepted"
        self._is_logged_in = await self._reply("AUTH", usual) and is_right

    async def _mail(self, command: str) -> None:
        if not self._is_logged_in:
            await self._write("530 5.7.0 Authentication required")
        elif self._sender is not None:
            await self._write("503 5.5.1 nested MAIL")
        elif await self._reply("MAIL", "250 2.1.0 OK"):
            self._sender = _path(command)

    async def _rcpt(self, command: str) -> None:
        usual = "503 5.5.1 no MAIL" if self._sender is None else "250 2.1.5 OK"
        if await self._reply("RCPT", usual):
            self._recipients.append(_path(command))

    async def _data(self) -> None:
        usual = "354 go on" if self._recipients else "503 5.5.1 no RCPT"
        if not await self._reply("DATA", usual):
            return
        step = self._server.next_step("CONTENT")
        if isinstance(step, StopReading):
            self._transport.pause_reading()
            await step.resumed.wait()
            self._transport.resume_reading()
        wire = await self._content()
        sender, recipients = self._sender or "", tuple(self._recipients)
        mail = Received(sender, recipients, wire, self._number)
        self._reset()
        if not (isinstance(step, str) and step.startswith(("4", "5"))):
            self._server.mails.append(mail)
        await self._perform(step, self._server.takes_with.format(len(self._server.mails)))

    async def _content(self) -> bytes:
        lines = [await self._reader.readline()]
        while lines[-1] != b".\r\n":
            lines.append(await self._reader.readuntil(b"\r\n"))
        return b"".join(lines[:-1])

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    async def _reply(self, verb: str, usual: str) -> bool:
        step = self._server.next_step(verb)
        holds = self._server.writes is Writes.GLUED and verb in ("RSET", "MAIL", "RCPT")
        if holds and (step is None or isinstance(step, str)):
            reply = step or usual
            self._held += reply.encode() + b"\r\n"
            return reply[0] in "23"
        return await self._perform(step, usual)

    async def _perform(self, step: Step | None, usual: str) -> bool:
        match step:
            case Drop():
                raise _GoneError
            case Hang():
                step.arrived.set()
                while some := await self._reader.read(_MAX_BYTES):
                    step.unread.extend(some)
                raise _GoneError
            case ReplyThenDrop():
                await self._write(step.reply)
                raise _GoneError
            case str():
                await self._write(step)
                return step[0] in "23"
            case StopReading() | None:
                await self._write(usual)
                return usual[0] in "23"

    async def _write(self, line: str) -> None:
        reply, self._held = self._held + line.encode() + b"\r\n", b""
        if self._server.writes is Writes.BY_BYTE:
            for byte in reply:
                self._writer.write(bytes([byte]))
                await asyncio.sleep(0)
        else:
            self._writer.write(reply)
        await self._writer.drain()


@asynccontextmanager
async def open_smtp(
    tls: ssl.SSLContext | None = None,
    credentials: tuple[str, str] | None = None,
    *,
    implicit_tls: bool = False,
) -> AsyncIterator[SmtpServer]:
    """Serve on loopback: with STARTTLS where there is a `tls`, or with TLS from the start."""
    smtp = SmtpServer(None if implicit_tls else tls, credentials)
    context = tls if implicit_tls else None
    server = await asyncio.start_server(smtp.accept, "127.0.0.1", 0, ssl=context, limit=_MAX_BYTES)
    smtp.port = server.sockets[0].getsockname()[1]
    try:
        yield smtp
    finally:
        server.close()
        await smtp.stop()
        await server.wait_closed()


@asynccontextmanager
async def open_ses(
    tls: ssl.SSLContext | None = None, credentials: tuple[str, str] | None = None
) -> AsyncIterator[SmtpServer]:
    """Serve as Amazon SES does: what it offers, and the words by which it takes a mail.

    https://docs.aws.amazon.com/ses/latest/dg/send-email-smtp-client-command-line.html
    """
    async with open_smtp(tls, credentials) as server:
        server.extensions = ["8BITMIME"]
        server.takes_with = "250 Ok " + SES_ID
        yield server


SES_ID = "01020193f5c0a5b2-34208509-5b74-41f3-95c5-22c1edc3c924-{:06}"


# What a client sends after the challenge that tells of a refusal; RFC 7628 section 3.2.3.
_ACKNOWLEDGEMENTS = {"XOAUTH2": b"\r\n", "OAUTHBEARER": b"AQ==\r\n"}
_LONGEST_COMMAND = 512


def _bearer(method: str, response: str) -> tuple[str, str]:
    head, *fields = response.removesuffix("\x01\x01").split("\x01")
    if method == "XOAUTH2":
        user = head.removeprefix("user=")
    else:
        escaped = head.split(",")[1].removeprefix("a=")
        user = escaped.replace("=2C", ",").replace("=3D", "=")
    values = dict(field.split("=", 1) for field in fields)
    return user, values["auth"].removeprefix("Bearer ")


def _path(command: str) -> str:
    return command.partition("<")[2].partition(">")[0]
