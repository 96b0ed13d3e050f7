"""SendGrid's events: who signed them, and what they mean."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic_core import from_json

from notifier.channels.email.bounces import BOUNCES, ENHANCED_CODE
from notifier.channels.email.sendgrid.refusals import judge_bounce
from notifier.channels.receipts import PROVIDER_ID, Meaning, decoded_bytes, fault_for, matching
from notifier.channels.refusals.blame import Blame
from notifier.clock import Clock
from notifier.errors import MalformedError, SettingsError, UnsignedError
from notifier.notification.model import JsonValue
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import BOUNCE, DELIVER, SETTLE
from notifier.providers.receipt import Callback, CallbackRoute, Receipt

TOLERANCE = timedelta(seconds=300)
"""How far a timestamp may be from our time, either way."""

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_MAX_EVENTS_BYTES = 1024 * 1024
_MAX_REASON_CHARS = 2_000
_MAX_UNIX_TIME = 2**33
_EVENT_ID = re.compile(r"[!-~]{1,200}", re.ASCII)

# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event; deferred, open
# and click change nothing.
SENDGRID_EVENTS: Mapping[str, Meaning] = {
    "processed": Meaning(SETTLE),
    "delivered": Meaning(DELIVER),
    "bounce": Meaning(BOUNCE, "the receiving server refused it"),
    "dropped": Meaning(BOUNCE, "the provider dropped it"),
    "spamreport": Meaning(None, suppress_as=SuppressionReason.SPAM_REPORT),
    "unsubscribe": Meaning(None, suppress_as=SuppressionReason.UNSUBSCRIBED),
    "group_unsubscribe": Meaning(
        None, suppress_as=SuppressionReason.UNSUBSCRIBED, is_of_category=True
    ),
    "group_resubscribe": Meaning(None, lift=SuppressionReason.UNSUBSCRIBED, is_of_category=True),
}
SENDGRID_DROPS: Mapping[str, Meaning] = {
    # Mailboxes that were full are on that list as well.
    "bounced address": Meaning(BOUNCE, "dropped: the address bounced before"),
    "spam reporting address": Meaning(
        BOUNCE, "dropped: the address reported spam before", SuppressionReason.SPAM_REPORT
    ),
    "unsubscribed address": Meaning(
        BOUNCE, "dropped: the address unsubscribed before", SuppressionReason.UNSUBSCRIBED
    ),
    "invalid": Meaning(BOUNCE, "dropped: the address is invalid"),
    "invalid smtpapi header": Meaning(BOUNCE, "dropped: its header is invalid"),
    "spam content": Meaning(BOUNCE, "dropped: its content looks like spam"),
    "recipient list over package quota": Meaning(BOUNCE, "dropped: over the account's quota"),
}


def sendgrid_receipts(events: JsonValue) -> Iterable[Receipt]:
    """Read the events of one call of the event webhook; those of no use are left out."""
    for event in events if isinstance(events, list) else ():
        receipt = _sendgrid_receipt(event) if isinstance(event, dict) else None
        if receipt:
            yield receipt


def _sendgrid_receipt(event: Mapping[str, JsonValue]) -> Receipt | None:
    kind = _text(event, "event")
    meaning = _sendgrid_meaning(kind, event)
    event_id = matching(_EVENT_ID, event.get("sg_event_id"))
    id = _uuid(event.get("notification_id"))
    if meaning is None or event_id is None or id is None:
        return None
    message_id = _text(event, "sg_message_id").partition(".")[0]
    return Receipt(
        provider="sendgrid",
        event_id=event_id,
        id=id,
        transition=meaning.transition,
        provider_id=matching(PROVIDER_ID, message_id),
        fault=fault_for(meaning, matching(ENHANCED_CODE, event.get("status")) or kind),
        suppress_as=meaning.suppress_as,
        lift=meaning.lift,
        is_of_category=meaning.is_of_category,
        at=_time(event.get("timestamp")),
    )


def _sendgrid_meaning(kind: str, event: Mapping[str, JsonValue]) -> Meaning | None:
    match kind:
        case "bounce":
            return BOUNCES.get(_sendgrid_blame(event), SENDGRID_EVENTS[kind])
        case "dropped":
            reason = _text(event, "reason").strip().lower()
            return SENDGRID_DROPS.get(reason, SENDGRID_EVENTS[kind])
        case _:
            return SENDGRID_EVENTS.get(kind)


def _sendgrid_blame(event: Mapping[str, JsonValue]) -> Blame:
    return judge_bounce(
        kind=_text(event, "type"),
        status=matching(ENHANCED_CODE, event.get("status")) or "",
        reason=_text(event, "reason")[:_MAX_REASON_CHARS],
        classification=_text(event, "bounce_classification"),
    )


def _text(event: Mapping[str, JsonValue], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _time(value: JsonValue) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _MAX_UNIX_TIME:
        return None
    return datetime.fromtimestamp(value, UTC)


def _uuid(value: JsonValue) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


Verify: TypeAlias = Callable[[str, bytes], bool]
"""Whether a signature (base64) is one of these bytes."""
_MAX_ECDSA_BYTES = 160


def is_ecdsa(signature: str) -> bool:
    """Whether `signature` can be one of SendGrid's."""
    return 0 < decoded_bytes(signature) <= _MAX_ECDSA_BYTES


def sendgrid_verifier(public_key: str) -> Verify:
    """Return what verifies ECDSA signatures over SHA-256 under `public_key` (DER in base64).

    Raises:
        SettingsError: it is no such key.
    """
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SettingsError(
            "NOTIFIER_SENDGRID__WEBHOOK_PUBLIC_KEY: expected the verification key that SendGrid "
            "shows for its event webhook (base64)"
        )
    verifying = key

    def verify(signature: str, signed: bytes) -> bool:
        try:
            raw = base64.b64decode(signature, validate=True)
            verifying.verify(raw, signed, ec.ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    return verify


def event_route(public_key: str, clock: Clock) -> CallbackRoute:
    """Return how SendGrid's event webhook reports, signed for `public_key` (DER in base64).

    Raises:
        SettingsError: it is no such key.
    """
    verify = sendgrid_verifier(public_key)

    def check(headers: Mapping[str, str]) -> None:
        if not is_ecdsa(headers.get(_SIGNATURE, "")):
            raise UnsignedError("it has no signature of SendGrid's")
        if not _is_fresh(headers.get(_TIMESTAMP, ""), clock):
            raise UnsignedError("its timestamp is missing, or too far from the time here")

    async def read(callback: Callback) -> Sequence[Receipt]:
        signed = callback.headers[_TIMESTAMP].encode() + callback.body
        if not verify(callback.headers[_SIGNATURE], signed):
            raise UnsignedError("it is not signed over timestamp and body")
        return list(sendgrid_receipts(_events(callback.body)))

    return CallbackRoute(
        provider="sendgrid",
        name="sendgridCallback",
        path="sendgrid",
        summary="SendGrid tells what became of mails",
        description="An array of events, signed by ECDSA over timestamp and body.",
        signed_by={
            "X-Twilio-Email-Event-Webhook-Signature": "ECDSA in base64.",
            "X-Twilio-Email-Event-Webhook-Timestamp": "Unix time in seconds.",
        },
        max_body_bytes=_MAX_EVENTS_BYTES,
        check=check,
        read=read,
    )


def _is_fresh(timestamp: str, clock: Clock) -> bool:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004 - the year 33658
        return False
    age_s = clock.now().timestamp() - int(timestamp)
    return abs(age_s) <= TOLERANCE.total_seconds()


def _events(body: bytes) -> JsonValue:
    try:
        events: JsonValue = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError as error:
        raise MalformedError("It is not valid JSON.") from error
    return events
