"""The wire of an SMTP connection: commands out, as many at once as wanted, and replies in."""

import asyncio
from typing import NamedTuple, cast

_MAX_REPLY_BYTES = 32_768
_CODE_DIGITS = 3


class RawReply(NamedTuple):
    """A reply, its lines joined by a line feed; the code is -1 if it was none."""

    code: int
    raw_text: bytes

    @property
    def text(self) -> str:
        """The words, whatever bytes they were."""
        return self.raw_text.decode("utf-8", "surrogateescape")


class SmtpWire(asyncio.Protocol):
    """Takes over a connection on which no reply is awaited.

    Unlike aiosmtplib's own protocol it loses no reply when several commands go in one write.
    """

    __slots__ = (
        "_begun",
        "_fault",
        "_is_lost",
        "_owed",
        "_replies",
        "_transport",
        "_unread",
        "_waiter",
        "is_in_step",
    )

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are such, and do not say so.
        self._transport = cast("asyncio.Transport", transport)
        self._replies: list[RawReply] = []
        self._owed = 0
        self._unread = b""
        self._begun = b""
        self._is_lost = False
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.is_in_step = True
        """Whether all that came was a reply to a command."""
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether anything can be sent."""
        return not (self._is_lost or self._transport.is_closing())

    @property
    def has_unsent_bytes(self) -> bool:
        """Whether a part of what was written is still here."""
        return self._transport.get_write_buffer_size() > 0

    def send(self, *commands: bytes) -> None:
        """Send `commands` in one write; `read` once for each.

        Raises:
            ConnectionError: the connection is gone; nothing was sent.
            ValueError: a command holds a line end, and would be two.
        """
        lines = b"\r\n".join((*commands, b""))
        if not lines.count(b"\n") == lines.count(b"\r") == len(commands):
            raise ValueError("a command holds a line end")
        self._write(lines, replies=len(commands))

    def send_content(self, content: bytes) -> None:
        """Send a mail with its final dot; `read` once.

        Raises:
            ConnectionError: the connection is gone; nothing was sent.
        """
        self._write(content, replies=1)

    async def read(self) -> RawReply:
        """Return the next reply.

        Raises:
            ConnectionError: the connection is gone; every reply that came before was read.
        """
        while not self._replies:
            if self._is_lost:
                raise ConnectionResetError("the connection is gone") from self._fault
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._replies.pop(0)

    def limit(self, seconds: float) -> asyncio.TimerHandle:
        """Take the connection for gone after `seconds`, unless that is cancelled.

        Every mail needs one, and it costs a seventh of `asyncio.timeout`.
        """
        return asyncio.get_running_loop().call_later(seconds, self._lose, TimeoutError())

    def abort(self) -> None:
        """Close at once, waiting neither for the server nor for what is not yet written."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        if self._unread and not self._owed:
            self._unread, self.is_in_step = b"", False
        elif len(self._begun) + len(self._unread) > _MAX_REPLY_BYTES:
            self._give_up_on(b"Response too long")
        if self._replies:
            self._wake()

    def eof_received(self) -> None:
        self._lose(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(exc)

    def _write(self, lines: bytes, *, replies: int) -> None:
        if not self.is_open:
            raise ConnectionResetError("the connection is gone") from self._fault
        self._transport.write(lines)
        self._owed += replies

    def _take_line(self, line: bytes) -> None:
        if not self._owed:
            self.is_in_step = False
            return
        code, text = line[:_CODE_DIGITS], line[_CODE_DIGITS + 1 :].strip()
        if len(code) < _CODE_DIGITS or not code.isdigit():
            self._give_up_on(b"Malformed SMTP response line: " + line)
            return
        if self._begun:
            text = self._begun + b"\n" + text
        if line[_CODE_DIGITS : _CODE_DIGITS + 1] == b"-":
            self._begun = text
        else:
            self._begun = b""
            self._take(RawReply(int(code), text))

    def _give_up_on(self, why: bytes) -> None:
        self._begun, self._unread, self.is_in_step = b"", b"", False
        self._take(RawReply(-1, why))

    def _take(self, reply: RawReply) -> None:
        self._owed -= 1
        self._replies.append(reply)

    def _lose(self, fault: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost, self._fault = True, fault
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
