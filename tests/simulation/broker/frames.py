"""AMQP frames: the common ones by hand or remembered, the others by pamqp (0-9-1, section 4.2)."""

from functools import lru_cache
from struct import Struct

import pamqp.frame
from pamqp.base import Frame
from pamqp.commands import INDEX_MAPPING, Basic
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

METHOD = 1
HEADER = 2
BODY = 3
HEARTBEAT = 8
OVERHEAD = 8

HEARTBEAT_FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"
PROTOCOL = b"AMQP\x00\x00\x09\x01"

_END = b"\xce"
_plain: dict[tuple[int, int], bytes] = {}
_HAS_TYPE, _HAS_ENCODING, _HAS_HEADERS = 1 << 15, 1 << 14, 1 << 13
head = Struct(">BHI")
settling = Struct(">IQB")
"""A method of one delivery tag and one octet of bits: ack, nack and reject."""
_content_head = Struct(">HxxQ").pack
_flags = Struct(">H")
_size = Struct(">I")
_count = Struct(">q").pack
_delivered = Struct(">Q?").pack

ACK = Basic.Ack.index
NACK = Basic.Nack.index
REJECT = Basic.Reject.index
_DELIVER = _size.pack(Basic.Deliver.index)


def marshalled(number: int, frame: Frame) -> bytes:
    """The bytes of a method."""
    return pamqp.frame.marshal(frame, number)


def plain(number: int, kind: type[Frame]) -> bytes:
    """The bytes of a method whose arguments are all as usual."""
    key = number, kind.index
    if key not in _plain:
        _plain[key] = pamqp.frame.marshal(kind(), number)
    return _plain[key]


@lru_cache(maxsize=4096)
def method_of(payload: bytes) -> Frame:
    """The method in a frame; one object for all frames that are alike.

    Raises:
        ValueError: there is none of this number.
        PAMQPException: it is cut off or malformed.
    """
    index = index_of(payload)
    if index not in INDEX_MAPPING:
        raise ValueError(f"unknown method {index:#x}")
    _, _, method = pamqp.frame.unmarshal(_framed(METHOD, 0, payload))
    assert isinstance(method, Frame)
    return method


def index_of(payload: bytes) -> int:
    """The number of the method in a frame."""
    return int.from_bytes(payload[:4], "big")


def acknowledgement(number: int, tag: int, *, multiple: bool) -> bytes:
    """An ack for a publisher."""
    return _framed(METHOD, number, settling.pack(ACK, tag, multiple))


def refusal(number: int, tag: int) -> bytes:
    """A nack for a publisher."""
    return _framed(METHOD, number, settling.pack(NACK, tag, 0))


@lru_cache(maxsize=4096)
def short(text: str) -> bytes:
    """A short string."""
    value = text.encode()
    return bytes((len(value),)) + value


def delivery(number: int, consumer: str, tag: int, *, again: bool, address: bytes) -> bytes:
    """A deliver; `address` is the exchange and the routing key, as short strings."""
    payload = b"".join((_DELIVER, short(consumer), _delivered(tag, again), address))
    return _framed(METHOD, number, payload)


def content(number: int, properties: bytes, body: bytes, frame_max: int) -> bytes:
    """A content header and as many bodies as it takes."""
    header = _framed(HEADER, number, _content_head(Basic.frame_id, len(body)) + properties)
    room = frame_max - OVERHEAD
    parts = (body[at : at + room] for at in range(0, len(body), room))
    return header + b"".join(_framed(BODY, number, part) for part in parts)


def header_of(payload: bytes) -> tuple[int, bytes]:
    """The size of the body and the encoded properties in a content header."""
    return int.from_bytes(payload[4:12], "big"), payload[12:]


def properties_of(encoded: bytes) -> Basic.Properties:
    """Decode properties."""
    header = ContentHeader()
    header.unmarshal(_content_head(Basic.frame_id, 0) + encoded)
    properties = header.properties
    assert properties is not None
    return properties


def with_headers(properties: bytes, headers: FieldTable) -> bytes:
    """Encoded properties with other headers."""
    decoded = properties_of(properties)
    decoded.headers = headers
    return decoded.marshal()


def with_count(properties: bytes, name: str, count: int) -> bytes:
    """Encoded properties with a number as one more header, or instead of the one of that name."""
    if name.encode() in properties:
        return with_headers(properties, {**(properties_of(properties).headers or {}), name: count})
    return _with_field(properties, short(name) + b"l" + _count(count))


def _with_field(properties: bytes, field: bytes) -> bytes:
    flags = _flags.unpack_from(properties)[0]
    at = _flags.size
    for flag in (_HAS_TYPE, _HAS_ENCODING):
        at += 1 + properties[at] if flags & flag else 0
    before, fields, rest = properties[2:at], b"", properties[at:]
    if flags & _HAS_HEADERS:
        end = _size.size + _size.unpack_from(rest)[0]
        fields, rest = rest[_size.size : end], rest[end:]
    fields += field
    table = _size.pack(len(fields)) + fields
    return b"".join((_flags.pack(flags | _HAS_HEADERS), before, table, rest))


def _framed(kind: int, number: int, payload: bytes) -> bytes:
    return b"".join((head.pack(kind, number, len(payload)), payload, _END))
