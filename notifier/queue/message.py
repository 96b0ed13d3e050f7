"""The message: what an envelope looks like in a queue.

The body is `{"v":1,"id":...,"type":...,"attempt":...}`: nothing to read in it. The lane is not in
it; the queue, or the routing key, says which one it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from uuid import UUID

import orjson

from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane

APP_ID = "notifier"
CONTENT_TYPE = "application/json"
MESSAGE_TYPE = "notification"
TRACEPARENT = "traceparent"
VERSION = 1
MAX_BODY_BYTES = 4_096
"""Longer bodies are not ours and are not even parsed."""
MAX_ATTEMPT = 2**31 - 1

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)

_HAS_HEADERS = 1 << 13
_HAS_OURS = 1 << 15 | 1 << 12 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 3
"""content_type, delivery_mode, message_id, timestamp, type and app_id."""
_PERSISTENT = b"\x02"
_pack_flags = Struct(">H").pack
_pack_length = Struct(">I").pack
_pack_time = Struct(">Q").pack


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that is no envelope, and why; `reason` never repeats what is in it."""

    reason: str


def encode(envelope: Envelope) -> bytes:
    """The body of `envelope`."""
    return orjson.dumps(
        {
            "v": VERSION,
            "id": str(envelope.id),
            "type": envelope.channel.value,
            "attempt": envelope.attempt,
        }
    )


def headers(envelope: Envelope) -> dict[str, str]:
    """The AMQP headers of `envelope`."""
    return {TRACEPARENT: envelope.traceparent} if envelope.traceparent else {}


def properties(envelope: Envelope, *, message_id: str, sent_at_s: int) -> bytes:
    """The property list of the message's content header, encoded (AMQP 0-9-1, 4.2.6.1).

    `sent_at_s` is in seconds since 1970. Property lists are the dearest part of a message to
    encode; this one always has the same fields.
    """
    ours = _short(message_id) + _pack_time(sent_at_s) + _NAMES
    if not envelope.traceparent:
        return _pack_flags(_HAS_OURS) + _CONTENT_TYPE + _PERSISTENT + ours
    value = envelope.traceparent.encode()
    table = _short(TRACEPARENT) + b"S" + _pack_length(len(value)) + value
    table = _pack_length(len(table)) + table
    return _pack_flags(_HAS_OURS | _HAS_HEADERS) + _CONTENT_TYPE + table + _PERSISTENT + ours


def decode(
    body: bytes, *, channel: Channel, lane: Lane, headers: Mapping[str, object] | None
) -> Envelope | Malformed:
    """Read a message found in a queue of `channel` and `lane`.

    Total: whatever the bytes are, the answer is a value. Fields that a later version adds are
    passed over; a traceparent that is none is left out.
    """
    if len(body) > MAX_BODY_BYTES:
        return Malformed(f"longer than {MAX_BODY_BYTES} bytes")
    try:
        fields: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Malformed("not JSON")
    if not isinstance(fields, dict):
        return Malformed("not a JSON object")
    fault = _fault(fields, channel)
    if fault:
        return Malformed(fault)
    return Envelope(
        id=UUID(fields["id"]),
        channel=channel,
        lane=lane,
        attempt=fields["attempt"],
        traceparent=_traceparent(headers),
    )


def decode_any(
    body: bytes, *, lane: Lane, headers: Mapping[str, object] | None
) -> Envelope | Malformed:
    """Read a message of whichever channel, as `decode` does."""
    found: Envelope | Malformed = Malformed("no channel")
    for channel in Channel:
        found = decode(body, channel=channel, lane=lane, headers=headers)
        if isinstance(found, Envelope):
            return found
    return found


def _fault(fields: dict[str, object], channel: Channel) -> str | None:
    if not _is_int(fields.get("v"), VERSION, VERSION):
        return f"v is not {VERSION}"
    named = fields.get("id")
    if not (isinstance(named, str) and _UUID.fullmatch(named)):
        return "id is not a UUID"
    if fields.get("type") != channel.value:
        return f"type is not {channel.value}, the channel of this queue"
    if not _is_int(fields.get("attempt"), 0, MAX_ATTEMPT):
        return "attempt is not a whole number in its range"
    return None


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _traceparent(headers: Mapping[str, object] | None) -> str | None:
    value = headers.get(TRACEPARENT) if headers else None
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _short(text: str) -> bytes:
    """An AMQP short string."""
    value = text.encode()
    return bytes((len(value),)) + value


_CONTENT_TYPE = _short(CONTENT_TYPE)
_NAMES = _short(MESSAGE_TYPE) + _short(APP_ID)
