"""What SendGrid's answers and events mean.

https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses,
https://support.sendgrid.com/hc/en-us/articles/18322114821403 (4XX API errors),
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event,
https://www.twilio.com/docs/sendgrid/glossary/drops.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from notifier.channels.email.bounces import blame_of_reply, leaves_open
from notifier.channels.refusals.blame import Blame, Ruling
from notifier.channels.refusals.http import HttpTable
from notifier.channels.refusals.words import phrase, plain_words

REFUSALS = HttpTable(
    codes={},
    statuses={
        400: Ruling(blame=Blame.MESSAGE),
        401: Ruling(blame=Blame.OURS),
        402: Ruling(blame=Blame.OURS),
        403: Ruling(blame=Blame.OURS),
        404: Ruling(blame=Blame.OURS),
        405: Ruling(blame=Blame.OURS),
        406: Ruling(blame=Blame.MESSAGE),
        408: Ruling(blame=Blame.MOMENT),
        413: Ruling(blame=Blame.MESSAGE),
        415: Ruling(blame=Blame.OURS),
        429: Ruling(blame=Blame.RATE),
    },
    classes={
        3: Ruling(blame=Blame.OURS),
        4: Ruling(blame=Blame.MESSAGE),
        5: Ruling(blame=Blame.UNKNOWN),
    },
    otherwise=Ruling(blame=Blame.UNKNOWN),
)

# With 400 SendGrid refuses messages, and accounts as well.
_PHRASES = (
    phrase(
        Blame.RATE,
        (
            r"rate limit|too many requests|temporarily (?:limited|throttled)",
            r"(?:messaging|daily|hourly|monthly|send|sending) limit",
        ),
        "429, and 400 of old",
    ),
    phrase(
        Blame.OURS,
        (
            r"credits?\b|quota|billing|payment|subscription|\bplan\b|\btrial\b",
            r"sender identit|verified|domain authentication|authenticated domain",
            r"\baccount\b|suspended|frozen|under review|deactivated|banned|compliance",
            (
                r"permission|not authori[sz]ed|unauthori[sz]ed|forbidden|authorization|credential|"
                r"api key|scope"
            ),
            r"whitelist|allow-?list|ip address|ip access|ip pool|\bsubuser",
            r"repeated bad requests|user is (?:disabled|inactive|blocked)",
        ),
        "credits exceeded, sender identity, scopes, IP access, suspension",
    ),
)
_OUR_FIELDS = re.compile(
    r"from\b|reply_to\b|ip_pool_name\b|asm\b|mail_settings\b|tracking_settings"
)
_FIELDS_OF_THE_RECIPIENT = re.compile(
    r"personalizations\.\d+\.(?:to|cc|bcc)\b|personalizations\.to"
)
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One of the errors in an answer: about a field of the request, or about none."""

    field: str
    message: str


def judge_answer(status: int, complaints: tuple[Complaint, ...]) -> Ruling:
    """Return whose fault a refused request is."""
    by_status = REFUSALS.ruling(status, None)
    if status != _BAD_REQUEST:
        return by_status
    fields = [each.field for each in complaints if each.field]
    if any(_OUR_FIELDS.match(field) for field in fields):
        return Ruling(blame=Blame.OURS)
    if any(_FIELDS_OF_THE_RECIPIENT.match(field) for field in fields):
        return Ruling(blame=Blame.RECIPIENT)
    words = plain_words(" ; ".join(each.message for each in complaints if not each.field))
    told = (each.blame for each in _PHRASES if each.fits(words, status // 100))
    return Ruling(blame=next(told, by_status.blame))


# --- events ---------------------------------------------------------------------------------

_FOR_NOW = frozenset({"blocked", "expired"})
_BY_CLASSIFICATION: Mapping[str, Blame] = {
    "invalid address": Blame.GONE,
    "mailbox unavailable": Blame.RECIPIENT,
    "content": Blame.MESSAGE,
    "reputation": Blame.OURS,
    "technical": Blame.MOMENT,
    "technical failure": Blame.MOMENT,
    "frequency/volume": Blame.RATE,
    "frequency or volume too high": Blame.RATE,
}


def judge_bounce(*, kind: str, status: str, reason: str, classification: str) -> Blame:
    """Return whose fault a bounce is, by the receiving server's reply as far as it is told.

    `kind` is the event's `type`: what is `blocked` or `expired` never proves that there is no
    such address. The codes and words mean what they mean in a reply to ourselves.
    """
    by_reply = blame_of_reply(status, reason)
    told = _BY_CLASSIFICATION.get(classification.strip().lower())
    blame = by_reply
    if told is not None and by_reply in (None, Blame.RECIPIENT) and leaves_open(status):
        blame = told
    if blame is Blame.GONE and kind in _FOR_NOW:
        return Blame.RECIPIENT_NOW
    return blame or Blame.RECIPIENT
