"""What providers' callbacks mean: one table for each provider, and what is read with it.

Nothing that a provider writes as prose is kept: it quotes addresses.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from notifier.notification.model import JsonValue
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.transitions import BOUNCE, DELIVER, SETTLE, Transition
from notifier.providers.receipt import Receipt
from notifier.refusals.blame import Blame
from notifier.refusals.sendgrid import judge_bounce
from notifier.refusals.twilio import REFUSALS

_MAX_REASON_CHARS = 2_000
_MAX_UNIX_TIME = 2**33
_EVENT_ID = re.compile(r"[!-~]{1,200}", re.ASCII)
_CODE = re.compile(r"\d{1,6}", re.ASCII)
_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_PROVIDER_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Meaning:
    transition: Transition | None
    words: str | None = None
    """Why it did not arrive; None where it did or may yet."""
    suppress_as: SuppressionReason | None = None
    lift: SuppressionReason | None = None


# https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
TWILIO_STATUSES: Mapping[str, _Meaning] = {
    "accepted": _Meaning(SETTLE),
    "scheduled": _Meaning(SETTLE),
    "queued": _Meaning(SETTLE),
    "sending": _Meaning(SETTLE),
    "sent": _Meaning(SETTLE),
    "delivered": _Meaning(DELIVER),
    "read": _Meaning(DELIVER),
    "undelivered": _Meaning(BOUNCE, "the carrier did not deliver it"),
    "failed": _Meaning(BOUNCE, "it could not be sent on"),
    "canceled": _Meaning(BOUNCE, "it was taken back at the provider"),
}
# https://help.twilio.com/articles/223134027 (opt-out keywords).
_OPT_IN = frozenset({"START", "UNSTOP", "YES"})
_TWILIO_SUPPRESSIONS: Mapping[Blame, SuppressionReason] = {
    Blame.GONE: SuppressionReason.HARD_BOUNCE,
    Blame.OPTED_OUT: SuppressionReason.UNSUBSCRIBED,
}

# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event; deferred, open
# and click change nothing.
SENDGRID_EVENTS: Mapping[str, _Meaning] = {
    "processed": _Meaning(SETTLE),
    "delivered": _Meaning(DELIVER),
    "bounce": _Meaning(BOUNCE, "the receiving server refused it"),
    "dropped": _Meaning(BOUNCE, "the provider dropped it"),
    "spamreport": _Meaning(None, suppress_as=SuppressionReason.SPAM_REPORT),
    "unsubscribe": _Meaning(None, suppress_as=SuppressionReason.UNSUBSCRIBED),
    "group_unsubscribe": _Meaning(None, suppress_as=SuppressionReason.UNSUBSCRIBED),
    "group_resubscribe": _Meaning(None, lift=SuppressionReason.UNSUBSCRIBED),
}
_BOUNCES: Mapping[Blame, _Meaning] = {
    Blame.GONE: _Meaning(
        BOUNCE, "the receiving server knows no such address", SuppressionReason.HARD_BOUNCE
    ),
    Blame.RECIPIENT_NOW: _Meaning(BOUNCE, "the receiving server refused it for now"),
    Blame.MOMENT: _Meaning(BOUNCE, "the receiving server refused it for now"),
    Blame.RATE: _Meaning(BOUNCE, "the receiving server gets too much from us"),
    Blame.OURS: _Meaning(BOUNCE, "the receiving server refuses our sender or our provider"),
    Blame.MESSAGE: _Meaning(BOUNCE, "the receiving server refused its content"),
}
SENDGRID_DROPS: Mapping[str, _Meaning] = {
    # Mailboxes that were full are on that list as well.
    "bounced address": _Meaning(BOUNCE, "dropped: the address bounced before"),
    "spam reporting address": _Meaning(
        BOUNCE, "dropped: the address reported spam before", SuppressionReason.SPAM_REPORT
    ),
    "unsubscribed address": _Meaning(
        BOUNCE, "dropped: the address unsubscribed before", SuppressionReason.UNSUBSCRIBED
    ),
    "invalid": _Meaning(BOUNCE, "dropped: the address is invalid"),
    "invalid smtpapi header": _Meaning(BOUNCE, "dropped: its header is invalid"),
    "spam content": _Meaning(BOUNCE, "dropped: its content looks like spam"),
    "recipient list over package quota": _Meaning(BOUNCE, "dropped: over the account's quota"),
}


def twilio_receipt(id: UUID, form: Mapping[str, str]) -> Receipt | None:
    """Read a status callback for the notification `id`; None if it says nothing of use."""
    status = form.get("MessageStatus", "").lower()
    meaning = TWILIO_STATUSES.get(status)
    sid = form.get("MessageSid", "")
    if meaning is None or not _PROVIDER_ID.fullmatch(sid):
        return None
    code = _matching(_CODE, form.get("ErrorCode")) or status
    return Receipt(
        provider="twilio",
        event_id=f"{sid}:{status}",
        id=id,
        transition=meaning.transition,
        provider_id=sid,
        fault=_fault(meaning, code),
        suppress_as=_twilio_suppression(code) if meaning.words else None,
    )


def twilio_opt_in(form: Mapping[str, str]) -> Receipt | None:
    """Read an incoming message; None unless its sender wants messages again.

    `OptOutType` says so where Advanced Opt-Out is on; else it is the keyword itself.
    """
    kind = form.get("OptOutType") or form.get("Body", "")
    number, sid = form.get("From", ""), form.get("MessageSid", "")
    if kind.strip().upper() not in _OPT_IN or not _PROVIDER_ID.fullmatch(sid):
        return None
    if not _NUMBER.fullmatch(number):
        return None
    return Receipt(
        provider="twilio",
        event_id=f"{sid}:opt-in",
        id=None,
        transition=None,
        number=number,
        lift=SuppressionReason.UNSUBSCRIBED,
    )


def _twilio_suppression(code: str) -> SuppressionReason | None:
    ruling = REFUSALS.codes.get(code)
    return None if ruling is None else _TWILIO_SUPPRESSIONS.get(ruling.blame)


def sendgrid_receipts(events: JsonValue) -> Iterable[Receipt]:
    """Read the events of one call of the event webhook; those of no use are left out."""
    for event in events if isinstance(events, list) else ():
        receipt = _sendgrid_receipt(event) if isinstance(event, dict) else None
        if receipt:
            yield receipt


def _sendgrid_receipt(event: Mapping[str, JsonValue]) -> Receipt | None:
    kind = _text(event, "event")
    meaning = _sendgrid_meaning(kind, event)
    event_id = _matching(_EVENT_ID, event.get("sg_event_id"))
    id = _uuid(event.get("notification_id"))
    if meaning is None or event_id is None or id is None:
        return None
    message_id = _text(event, "sg_message_id").partition(".")[0]
    return Receipt(
        provider="sendgrid",
        event_id=event_id,
        id=id,
        transition=meaning.transition,
        provider_id=_matching(_PROVIDER_ID, message_id),
        fault=_fault(meaning, _matching(_ENHANCED_CODE, event.get("status")) or kind),
        suppress_as=meaning.suppress_as,
        lift=meaning.lift,
        at=_time(event.get("timestamp")),
    )


def _sendgrid_meaning(kind: str, event: Mapping[str, JsonValue]) -> _Meaning | None:
    match kind:
        case "bounce":
            return _BOUNCES.get(_sendgrid_blame(event), SENDGRID_EVENTS[kind])
        case "dropped":
            reason = _text(event, "reason").strip().lower()
            return SENDGRID_DROPS.get(reason, SENDGRID_EVENTS[kind])
        case _:
            return SENDGRID_EVENTS.get(kind)


def _sendgrid_blame(event: Mapping[str, JsonValue]) -> Blame:
    return judge_bounce(
        kind=_text(event, "type"),
        status=_matching(_ENHANCED_CODE, event.get("status")) or "",
        reason=_text(event, "reason")[:_MAX_REASON_CHARS],
        classification=_text(event, "bounce_classification"),
    )


def _text(event: Mapping[str, JsonValue], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _fault(meaning: _Meaning, code: str) -> Fault | None:
    if meaning.words is None:
        return None
    return Fault(kind="permanent", code=code, message=meaning.words)


def _matching(pattern: re.Pattern[str], value: JsonValue) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _time(value: JsonValue) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _MAX_UNIX_TIME:
        return None
    return datetime.fromtimestamp(value, UTC)


def _uuid(value: JsonValue) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
