"""The message: what an envelope looks like in a queue.

The body is `{"v":1,"id":...,"type":...,"attempt":...}`: nothing to read in it. The lane is not in
it; the queue, or the routing key, says which one it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson

from notifier.notification import Channel, Envelope, Lane

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
