"""Publishing: a message in parts, its way into queues, and what its publisher is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from pamqp.base import Frame
from pamqp.commands import Basic, Confirm

from tests.simulation.broker import frames, refusal
from tests.simulation.broker.entities import DEFAULT_EXCHANGE
from tests.simulation.broker.letter import Letter
from tests.simulation.broker.queues import Queue

if TYPE_CHECKING:
    from tests.simulation.broker.channel import Channel, Handler


UNNOTICED = "no queue, and nobody is told"


@dataclass(slots=True)
class Incoming:
    """A message of which the rest is still to come."""

    method: Basic.Publish
    properties: bytes | None = None
    missing: int = 0
    parts: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Confirms:
    """The numbers of a channel's messages, and the answers that were not sent yet."""

    last: int = 0
    taken: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    def encoded(self, number: int) -> bytes:
        """Forget the answers, and return them as frames: acks together up to the first nack."""
        taken, refused = self.taken, self.refused
        self.taken, self.refused = [], []
        below = refused[0] if refused else self.last + 1
        early = [tag for tag in taken if tag < below]
        late = taken[len(early) :]
        frame = frames.acknowledgement
        parts = [frame(number, early[-1], multiple=len(early) > 1)] if early else []
        parts += [frame(number, tag, multiple=False) for tag in late]
        parts += [frames.refusal(number, tag) for tag in refused]
        return b"".join(parts)


def select(channel: "Channel", method: Confirm.Select) -> None:
    channel.confirms = channel.confirms or Confirms()
    if not method.nowait:
        channel.answer(Confirm.SelectOk)


def publish(channel: "Channel", method: Basic.Publish) -> None:
    if channel.incoming is not None:
        raise refusal.unexpected_frame("expected content, got a method")
    if method.immediate:
        raise refusal.not_implemented("immediate=true")
    channel.incoming = Incoming(method)


def take_header(channel: "Channel", payload: bytes) -> None:
    """Take the header of a message. Raises Refusal."""
    incoming = channel.incoming
    if incoming is None or incoming.properties is not None:
        raise refusal.unexpected_frame("expected a method, got a content header")
    incoming.missing, incoming.properties = frames.header_of(payload)
    if not incoming.missing:
        _complete(channel, incoming, incoming.properties)


def take_body(channel: "Channel", payload: bytes) -> None:
    """Take a part of the body of a message. Raises Refusal."""
    incoming = channel.incoming
    if incoming is None or incoming.properties is None:
        raise refusal.unexpected_frame("expected a method, got a content body")
    incoming.parts.append(payload)
    incoming.missing -= len(payload)
    if incoming.missing <= 0:
        _complete(channel, incoming, incoming.properties)


def _complete(channel: "Channel", incoming: Incoming, properties: bytes) -> None:
    channel.incoming = None
    method, wire = incoming.method, channel.wire
    if method.exchange != DEFAULT_EXCHANGE:
        wire.entities.exchange(method.exchange, wire.vhost)
    letter = Letter(method.exchange, method.routing_key, properties, b"".join(incoming.parts))
    if channel.confirms is not None:
        channel.confirms.last += 1
    targets = wire.entities.targets(letter.exchange, letter.routing_key)
    if wire.entities.journal:
        names = " and ".join(target.name for target in targets)
        names = names or ("no queue" if method.mandatory else UNNOTICED)
        wire.entities.journal(f"{letter.id} of {wire.name} goes to {names}")
    if not targets and method.mandatory:
        _return(channel, letter)
    is_taken = _is_taken(channel, letter, targets)
    if is_taken:
        for target in targets:
            wire.entities.note_taken(target.name, letter.body)
    _answer(channel, is_refused=not is_taken)


def _is_taken(channel: "Channel", letter: Letter, targets: Sequence[Queue]) -> bool:
    if targets and channel.wire.faults.refuses_publishes:
        return False
    return False not in [target.offer(letter.copy(), channel) for target in targets]


def _return(channel: "Channel", letter: Letter) -> None:
    method = Basic.Return(312, "NO_ROUTE", letter.exchange, letter.routing_key)
    encoded = frames.marshalled(channel.number, method)
    channel.send_content(encoded, letter.properties, letter.body)


def _answer(channel: "Channel", *, is_refused: bool) -> None:
    confirms, faults = channel.confirms, channel.wire.faults
    if confirms is None:
        return
    if faults.confirms_to_lose:
        faults.confirms_to_lose.pop(0)()
        channel.wire.cut()
        return
    if is_refused and channel.wire.entities.journal:
        channel.wire.entities.journal(f"{channel.wire.name}: message {confirms.last} is refused")
    (confirms.refused if is_refused else confirms.taken).append(confirms.last)
    channel.wire.confirm_later(channel)


HANDLERS: Mapping[type[Frame], "Handler"] = MappingProxyType(
    {Confirm.Select: select, Basic.Publish: publish}
)
