"""One client's socket: bytes in, bytes out."""

import asyncio
from typing import cast

from pamqp.commands import Basic
from pamqp.commands import Connection as Method

from tests.simulation.broker import frames
from tests.simulation.broker.channel import Channel
from tests.simulation.broker.heart import Heart
from tests.simulation.broker.house import House
from tests.simulation.broker.session import Session

_PUBLISH = Basic.Publish.index.to_bytes(4, "big")
_HEAD = frames.head.size
_PATIENCE_S = 30.0


class Connection(asyncio.Protocol):
    """The broker's end of one connection."""

    def __init__(self, house: House) -> None:
        self.session = Session(self, house.entities, house.faults)
        self.is_blocked = False
        """Whether an alarm keeps it from being read, as one that publishes."""
        self._house = house
        self._heart: Heart | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._unsent: list[bytes] = []
        self._unconfirmed: dict[Channel, None] = {}
        self._is_greeted = False
        self._is_lost = False
        self._is_over = False

    @property
    def name(self) -> str:
        """The name that the client gave it."""
        return self.session.name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._house.clients[self] = None
        if self._house.faults.is_down:
            self.cut()

    def data_received(self, data: bytes) -> None:
        if self._heart is not None:
            self._heart.has_heard = True
        self._unread = self._unread + data if self._unread else data
        self._read()
        self._house.flush()

    def connection_lost(self, _: Exception | None) -> None:
        if self._closing is not None:
            self._closing.cancel()
        if self.is_blocked and not self._is_over and self._heart is not None:
            self._linger(self._heart.interval_s)
        else:
            self._end("is lost")
        self._house.flush()

    def send(self, data: bytes) -> None:
        if not self._unsent:
            self._house.flush_later(self)
        self._unsent.append(data)

    def confirm_later(self, channel: Channel) -> None:
        self._unconfirmed[channel] = None
        self._house.flush_later(self)

    def flush(self) -> None:
        """Hand what is to be sent to the network."""
        if self._unconfirmed and not self._house.faults.holds_confirms:
            unconfirmed, self._unconfirmed = self._unconfirmed, {}
            for channel in unconfirmed:
                if channel.confirms is not None:
                    self._unsent.append(channel.confirms.encoded(channel.number))
        data = b"".join(self._unsent)
        self._unsent = []
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            if self._heart is not None:
                self._heart.has_sent = True

    def cut(self) -> None:
        """Lose the socket, with what was to be sent on it."""
        self._unsent, self._unconfirmed = [], {}
        self._end("is cut")
        if self._transport is not None:
            self._transport.abort()

    def await_end(self) -> None:
        """Let the client close the socket: it is done with it."""
        self._end("is closed")
        self._closing = self._house.loop.call_later(_PATIENCE_S, self.hang_up)

    def hang_up(self) -> None:
        """Close the socket once all was sent."""
        self._end("is closed")
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def beat(self, interval_s: int) -> None:
        """Send heartbeats from now on, and expect them."""
        self._heart = Heart(self._house.loop, interval_s, beat=self._beat, die=self._miss)

    def stir(self) -> None:
        """Go on after a change of what ails the broker."""
        if self.is_blocked and not self._house.faults.alarm:
            self._unblock()
        if self._unconfirmed:
            self._house.flush_later(self)

    def _linger(self, interval_s: int) -> None:
        """Stay: the broker reads nothing, and learns of the end when heartbeats cannot be sent.

        Once the alarm is over, it takes what came before the end. (RabbitMQ takes the first message
        at least; whether the next ones are taken is a race there.)
        """
        self._is_lost = True
        if interval_s:
            self._waiting = self._house.loop.call_later(interval_s, self._notice)

    def _notice(self) -> None:
        self._end("is found to be lost")
        self._house.flush()

    def _end(self, why: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._house.clients.pop(self, None)
        if self._heart is not None:
            self._heart.stop()
        if self._waiting is not None:
            self._waiting.cancel()
        self.session.tell(why)
        self.session.end()

    def _beat(self) -> None:
        self.send(frames.HEARTBEAT_FRAME)
        self._house.flush()

    def _miss(self) -> None:
        self.session.tell("sent no heartbeat")
        self.cut()
        self._house.flush()

    def _read(self) -> None:
        data, at = self._unread, 0
        if not self._is_greeted:
            at = self._greet(data)
        while len(data) - at >= frames.OVERHEAD and not self._is_over:
            kind, number, size = frames.head.unpack_from(data, at)
            end = at + _HEAD + size
            if len(data) <= end or self._must_wait(kind, data, at + _HEAD):
                break
            payload, at = data[at + _HEAD : end], end + 1
            self.session.take(kind, number, payload)
        self._unread = data[at:]

    def _greet(self, data: bytes) -> int:
        """Answer the protocol header; returns its length, 0 unless it is all there and known."""
        length = len(frames.PROTOCOL)
        if len(data) < length:
            return 0
        if data[:length] != frames.PROTOCOL:
            self.send(frames.PROTOCOL)
            self.hang_up()
            return 0
        self._is_greeted = True
        self.session.greet()
        return length

    def _must_wait(self, kind: int, data: bytes, at: int) -> bool:
        """Whether an alarm stops this frame, a publish or what comes after one."""
        if not self._house.faults.alarm:
            return False
        if not self.is_blocked and kind == frames.METHOD and data[at : at + 4] == _PUBLISH:
            self._block()
        return self.is_blocked

    def _block(self) -> None:
        self.is_blocked = True
        self.session.tell("is blocked by an alarm")
        if self._heart is not None:
            self._heart.is_deaf = True
        if self.session.hears_alarms:
            self.send(frames.marshalled(0, Method.Blocked("low on memory")))

    def _unblock(self) -> None:
        self.is_blocked = False
        self.session.tell("is no longer blocked")
        if self._heart is not None:
            self._heart.is_deaf = False
        if self.session.hears_alarms:
            self.send(frames.plain(0, Method.Unblocked))
        self._read()
        if self._is_lost:
            self._end("is found to be lost")
