"""What SES reports of mails, as notifications or as events that it publishes.

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html,
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import re
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog
from pydantic_core import from_json

from notifier.channels.email.bounces import BOUNCES, ENHANCED_CODE, blame_of_reply, leaves_open
from notifier.channels.receipts import PROVIDER_ID, Meaning, fault_for, matching
from notifier.channels.refusals.blame import Blame
from notifier.notification.model import JsonValue
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import BOUNCE, DELIVER, SETTLE
from notifier.providers.receipt import Receipt

log = structlog.get_logger(__name__)

_MAX_WORDS_CHARS = 2_000
_WORD = re.compile(r"[A-Za-z ]{1,40}", re.ASCII)
_TYPE_OF_DIAGNOSIS = re.compile(r"\s*[\w-]{1,20}\s*;\s*", re.ASCII)
_MESSAGE_ID = re.compile(r"\s*<([0-9a-f-]{36})@[^<>\s]+>\s*", re.ASCII)

# Open, Click and Subscription change nothing.
SES_EVENTS: Mapping[str, Meaning] = {
    "Send": Meaning(SETTLE),
    "DeliveryDelay": Meaning(SETTLE),
    "Delivery": Meaning(DELIVER),
    "Reject": Meaning(BOUNCE, "the provider found a virus in it"),
    "Rendering Failure": Meaning(BOUNCE, "the provider could not fill its template"),
}
_ON_ITS_LIST = Meaning(BOUNCE, "dropped: the address is on the provider's own suppression list")
SES_BOUNCES: Mapping[tuple[str, str], Meaning] = {
    ("Permanent", "NoEmail"): BOUNCES[Blame.GONE],
    # Its owner said nothing new, and whoever takes it off that list could not know of ours.
    ("Permanent", "Suppressed"): _ON_ITS_LIST,
    ("Permanent", "OnAccountSuppressionList"): _ON_ITS_LIST,
    ("Permanent", "UnsubscribedRecipient"): _ON_ITS_LIST,
    ("Transient", "MailboxFull"): BOUNCES[Blame.RECIPIENT_NOW],
    ("Transient", "MessageTooLarge"): BOUNCES[Blame.MESSAGE],
    ("Transient", "ContentRejected"): BOUNCES[Blame.MESSAGE],
    ("Transient", "AttachmentRejected"): BOUNCES[Blame.MESSAGE],
}
_COMPLAINT = Meaning(None, suppress_as=SuppressionReason.SPAM_REPORT)
# RFC 5965 and the IANA registry: nobody asks for less mail with these.
_NO_COMPLAINTS = frozenset({"auth-failure", "not-spam", "virus"})


def ses_receipt(text: str, event_id: str) -> Receipt | None:
    """Read one report; None if it is of no use, or of a mail that is not ours.

    Ours are known by the Message-ID, which is among the original headers: always in what SES
    publishes as events, and in notifications where they are asked for.
    """
    event = _event(text)
    kind = _text(event, "eventType") or _text(event, "notificationType")
    told = _part(event, kind.lower())
    mail = _part(event, "mail")
    meaning = _meaning(kind, told)
    id = _id_of(mail)
    if meaning is None or id is None:
        _note_lack(meaning, mail)
        return None
    return Receipt(
        provider="ses",
        event_id=event_id,
        id=id,
        transition=meaning.transition,
        provider_id=matching(PROVIDER_ID, mail.get("messageId")),
        fault=fault_for(meaning, _code(kind, told)),
        suppress_as=meaning.suppress_as,
        at=_time(told.get("timestamp")),
    )


def _note_lack(meaning: Meaning | None, mail: Mapping[str, JsonValue]) -> None:
    if meaning is not None and mail and "headers" not in mail:
        log.warning(
            "ses.no_headers",
            problem="SES reports without the original headers, which tell whose mail it is: have "
            "its notifications include them",
        )


def _meaning(kind: str, told: Mapping[str, JsonValue]) -> Meaning | None:
    match kind:
        case "Bounce":
            return _meaning_of_bounce(told)
        case "Complaint":
            return _meaning_of_complaint(told)
        case _:
            return SES_EVENTS.get(kind)


def _meaning_of_bounce(bounce: Mapping[str, JsonValue]) -> Meaning | None:
    kind, sub = _text(bounce, "bounceType"), _text(bounce, "bounceSubType")
    if known := SES_BOUNCES.get((kind, sub)):
        return known
    status, words = _reply(bounce)
    blame = blame_of_reply(status, words)
    match kind:
        case "Permanent":
            # A hard bounce, says SES; the reply itself may say what of.
            if blame in (None, Blame.RECIPIENT) and leaves_open(status):
                blame = Blame.GONE
        case "Transient":
            if not (status or words):
                return None  # this is how absence notes come back: it did arrive
            if blame in (None, Blame.GONE):
                blame = Blame.RECIPIENT_NOW
        case _:
            return Meaning(BOUNCE, "it came back, and nobody could tell why")
    return BOUNCES.get(blame or Blame.RECIPIENT, Meaning(BOUNCE, "the receiving server refused it"))


def _meaning_of_complaint(complaint: Mapping[str, JsonValue]) -> Meaning | None:
    if _text(complaint, "complaintSubType") == "OnAccountSuppressionList":
        return _ON_ITS_LIST
    if _text(complaint, "complaintFeedbackType") in _NO_COMPLAINTS:
        return None
    return _COMPLAINT


def _code(kind: str, told: Mapping[str, JsonValue]) -> str:
    """The enhanced code, else SES's own words for what happened."""
    if status := _reply(told)[0]:
        return status
    words = (
        kind,
        told.get("bounceType"),
        told.get("bounceSubType") or told.get("complaintSubType"),
    )
    return " ".join(word for each in words if (word := matching(_WORD, each)))


def _reply(bounce: Mapping[str, JsonValue]) -> tuple[str, str]:
    """The enhanced code and the words of the receiving server; a mail of ours has one recipient."""
    recipients = bounce.get("bouncedRecipients")
    recipient = recipients[0] if isinstance(recipients, list) and recipients else None
    if not isinstance(recipient, dict):
        return "", ""
    words = _text(recipient, "diagnosticCode")[:_MAX_WORDS_CHARS]
    status = matching(ENHANCED_CODE, recipient.get("status")) or ""
    return status, _TYPE_OF_DIAGNOSIS.sub("", words, count=1)


def _id_of(mail: Mapping[str, JsonValue]) -> UUID | None:
    headers = mail.get("headers")
    for header in headers if isinstance(headers, list) else ():
        if isinstance(header, dict) and _text(header, "name").lower() == "message-id":
            found = _MESSAGE_ID.fullmatch(_text(header, "value"))
            return _uuid(found[1]) if found else None
    return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _event(text: str) -> Mapping[str, JsonValue]:
    try:
        found: JsonValue = from_json(text, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return {}  # such as the words by which SES tries a topic
    return found if isinstance(found, dict) else {}


def _part(event: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    part = event.get(name)
    return part if isinstance(part, dict) else {}


def _text(event: Mapping[str, JsonValue], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _time(value: JsonValue) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time if time and time.tzinfo else None
