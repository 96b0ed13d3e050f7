"""What a client asks for over one connection, and what it is answered."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from pamqp.base import Frame
from pamqp.commands import Basic
from pamqp.commands import Channel as ChannelMethod
from pamqp.commands import Connection as Method
from pamqp.exceptions import PAMQPException

from tests.simulation.broker import consuming, declaring, frames, greeting, publishing, refusal
from tests.simulation.broker.channel import Channel, Handler
from tests.simulation.broker.entities import Entities
from tests.simulation.broker.faults import Faults
from tests.simulation.broker.refusal import Refusal


class Socket(Protocol):
    """What carries a session."""

    def send(self, data: bytes) -> None: ...
    def confirm_later(self, channel: Channel) -> None: ...
    def cut(self) -> None: ...
    def await_end(self) -> None: ...
    def hang_up(self) -> None: ...
    def beat(self, interval_s: int) -> None: ...


class Session:
    """A connection from its greeting to its end, with its channels."""

    def __init__(self, socket: Socket, entities: Entities, faults: Faults) -> None:
        self.name = "a stranger"
        self.vhost = "/"
        self.frame_max = greeting.FRAME_MAX
        self.hears_cancels = False
        self.hears_alarms = False
        self.entities = entities
        self.faults = faults
        self.channels: dict[int, Channel] = {}
        self._socket = socket
        self._is_open = False
        self._is_closing = False
        self._heartbeat_s = 0
        self.send: Callable[[bytes], None] = socket.send
        self.confirm_later: Callable[[Channel], None] = socket.confirm_later
        self.cut: Callable[[], None] = socket.cut

    def greet(self) -> None:
        """Begin: the client has said what it speaks."""
        self._say(greeting.start(self.entities.version))

    def take(self, kind: int, number: int, payload: bytes) -> None:
        """Take a frame."""
        try:
            if number and self._is_open:
                self._take_on_channel(kind, number, payload)
            elif kind == frames.METHOD:
                self._take_method(frames.method_of(payload))
            elif kind != frames.HEARTBEAT:
                raise refusal.unexpected_frame(f"frame of kind {kind} on channel 0")
        except Refusal as refused:
            self._close_for(refused)
        except (ValueError, PAMQPException) as error:
            self._close_for(refusal.syntax_error(str(error)))

    def end(self) -> None:
        """Give up all channels with what was delivered on them."""
        channels, self.channels = self.channels, {}
        for channel in channels.values():
            channel.end()

    def tell(self, what: str) -> None:
        """Write down what becomes of it."""
        if journal := self.entities.journal:
            journal(f"{self.name} {what}")

    def _take_method(self, method: Frame) -> None:
        match method:
            case Method.Close():
                self._say(Method.CloseOk())
                self._socket.await_end()
            case Method.CloseOk():
                self._socket.hang_up()
            case _ if self._is_closing:
                pass
            case Method.StartOk() if not self._is_open:
                self._start(method)
            case Method.TuneOk() if not self._is_open:
                self._tune(method)
            case Method.Open() if not self._is_open:
                self._open(method)
            case _:
                raise refusal.command_invalid(f"{method.name} on channel 0")

    def _start(self, method: Method.StartOk) -> None:
        properties = method.client_properties
        self.name = greeting.name_in(properties)
        self.hears_cancels = greeting.can(properties, "consumer_cancel_notify")
        self.hears_alarms = greeting.can(properties, "connection.blocked")
        self._say(greeting.tune())

    def _tune(self, method: Method.TuneOk) -> None:
        self.frame_max = method.frame_max or greeting.FRAME_MAX
        self._heartbeat_s = method.heartbeat

    def _open(self, method: Method.Open) -> None:
        self.vhost = method.virtual_host
        self._is_open = True
        self._say(Method.OpenOk())
        self._socket.beat(self._heartbeat_s)
        self.tell("is connected")

    def _close_for(self, refused: Refusal) -> None:
        self.tell(f"loses its connection: {refused.text}")
        self.end()
        self._is_closing = True
        self._say(Method.Close(refused.code, refused.text, 0, 0))

    def _say(self, method: Frame) -> None:
        self.send(frames.marshalled(0, method))

    def _take_on_channel(self, kind: int, number: int, payload: bytes) -> None:
        channel = self.channels.get(number)
        if self._is_closing:
            return
        if channel is None:
            self._open_channel(kind, number, payload)
        elif channel.is_closing:
            self._wait_for_end(channel, kind, payload)
        else:
            self._serve(channel, kind, payload)

    def _open_channel(self, kind: int, number: int, payload: bytes) -> None:
        method = frames.method_of(payload) if kind == frames.METHOD else None
        if isinstance(method, ChannelMethod.CloseOk):
            return
        if not isinstance(method, ChannelMethod.Open):
            raise refusal.channel_error(f"expected 'channel.open' on channel {number}")
        self.channels[number] = channel = Channel(number, self)
        channel.answer(ChannelMethod.OpenOk)

    def _wait_for_end(self, channel: Channel, kind: int, payload: bytes) -> None:
        """Until the client has heard that its channel is closed, what it says is void."""
        method = frames.method_of(payload) if kind == frames.METHOD else None
        if isinstance(method, ChannelMethod.Close):
            channel.answer(ChannelMethod.CloseOk)
        elif isinstance(method, ChannelMethod.CloseOk):
            del self.channels[channel.number]

    def _serve(self, channel: Channel, kind: int, payload: bytes) -> None:
        try:
            if kind == frames.HEADER:
                publishing.take_header(channel, payload)
            elif kind == frames.BODY:
                publishing.take_body(channel, payload)
            elif not consuming.settled(channel, payload):
                self._call(channel, frames.method_of(payload))
        except Refusal as refused:
            if refused.ends_connection:
                raise
            self.tell(f"loses a channel: {refused.text}")
            index = frames.index_of(payload) if kind == frames.METHOD else Basic.Publish.index
            channel.refuse(refused, index)

    def _call(self, channel: Channel, method: Frame) -> None:
        if channel.incoming is not None:
            raise refusal.unexpected_frame(f"{method.name} in place of content")
        handler = _HANDLERS.get(type(method))
        if handler is not None:
            handler(channel, method)
        elif isinstance(method, ChannelMethod.Close):
            channel.end()
            del self.channels[channel.number]
            channel.answer(ChannelMethod.CloseOk)
        else:
            raise refusal.not_implemented(method.name)


def _flow(channel: Channel, method: ChannelMethod.Flow) -> None:
    if not method.active:
        raise refusal.not_implemented("active=false")
    channel.send(ChannelMethod.FlowOk(active=True))


def _reopen(channel: Channel, _: ChannelMethod.Open) -> None:
    raise refusal.channel_error(f"second 'channel.open' on channel {channel.number}")


def _ignore(_: Channel, __: Frame) -> None:
    """What answers something that the broker said by itself."""


_HANDLERS: Mapping[type[Frame], Handler] = MappingProxyType(
    {
        **declaring.HANDLERS,
        **consuming.HANDLERS,
        **publishing.HANDLERS,
        ChannelMethod.Open: _reopen,
        ChannelMethod.Flow: _flow,
        ChannelMethod.FlowOk: _ignore,
        Basic.CancelOk: _ignore,
    }
)
