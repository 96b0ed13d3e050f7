"""Whose fault SendGrid says that it is, in answers and in events."""

import pytest

from notifier.channels.email.replies import Phase, parse_reply, ruling
from notifier.channels.email.sendgrid.refusals import Complaint, judge_answer, judge_bounce
from notifier.channels.refusals.blame import Blame
from notifier.channels.refusals.enhanced import STATUSES

GONE, RECIPIENT, NOW = Blame.GONE, Blame.RECIPIENT, Blame.RECIPIENT_NOW
MESSAGE, OURS, RATE, UNKNOWN = Blame.MESSAGE, Blame.OURS, Blame.RATE, Blame.UNKNOWN

ANSWERS: list[tuple[int, str, str, Blame]] = [
    (400, "", "Maximum credits exceeded", OURS),
    (401, "", "Maximum credits exceeded", OURS),
    (401, "", "The provided authorization grant is invalid, expired, or revoked", OURS),
    (401, "", "Authenticated user is not authorized to send mail", OURS),
    (401, "", "Permission denied, wrong credentials", OURS),
    (402, "", "payment required", OURS),
    (403, "", "access forbidden", OURS),
    (403, "", "Your account has been temporarily blocked due to repeated bad requests", OURS),
    (
        403,
        "from",
        (
            "The from address does not match a verified Sender Identity. Mail cannot be sent until "
            "this error is resolved. Visit https://sendgrid.com/docs/ to see the requirements"
        ),
        OURS,
    ),
    (400, "from", "The from address does not match a verified Sender Identity.", OURS),
    (400, "from.email", "The from email does not contain a valid address.", OURS),
    (400, "from", "The from object must be provided for every email send.", OURS),
    (400, "reply_to.email", "The reply_to email does not contain a valid address.", OURS),
    (400, "", "The requestor's IP Address is not whitelisted", OURS),
    (400, "", "Your account is suspended", OURS),
    (400, "", "User is disabled", OURS),
    (400, "", "You have exceeded your messaging limits", RATE),
    (400, "", "Your daily limit is exceeded", RATE),
    (400, "", "The message exceeds the size limit", MESSAGE),
    (400, "", "authorization required", OURS),
    (400, "asm", "The unsubscribe group does not exist", OURS),
    (400, "personalizations.0.to.0.email", "Does not contain a valid address.", RECIPIENT),
    (
        400,
        "personalizations.0.to",
        (
            "Each email address in the personalization block should be unique between to, cc, and "
            "bcc. We found the first duplicate instance of [quota@plan.example] in the to field."
        ),
        RECIPIENT,
    ),
    (400, "content.0.value", "The content value must be a string at least one character", MESSAGE),
    (400, "subject", "The subject is required.", MESSAGE),
    (400, "", "Bad Request", MESSAGE),
    (400, "content", "Content with account@billing.example is refused", MESSAGE),
    (404, "", "not found", OURS),
    (405, "", "method not allowed", OURS),
    (406, "", "", MESSAGE),
    (413, "", "The JSON payload you have included in your request is too large.", MESSAGE),
    (415, "", "unsupported media type", OURS),
    (418, "", "", MESSAGE),
    (429, "", "too many requests", RATE),
    (500, "", "internal server error", UNKNOWN),
    (503, "", "", UNKNOWN),
    (302, "", "", OURS),
    (200, "", "", UNKNOWN),
]


@pytest.mark.parametrize(("status", "field", "message", "blame"), ANSWERS)
def test_an_answer_blames(status: int, field: str, message: str, blame: Blame) -> None:
    assert judge_answer(status, (Complaint(field=field, message=message),)).blame is blame


BOUNCES: list[tuple[dict[str, str], Blame]] = [
    ({"kind": "expired", "status": "4.0.0"}, NOW),
    ({"status": "4.2.2"}, NOW),
    ({"kind": "bounce", "status": "5.2.2"}, RECIPIENT),
    ({"kind": "bounce", "status": "5.2.1"}, RECIPIENT),
    ({"kind": "bounce", "status": "5.1.1"}, GONE),
    (
        {
            "kind": "bounce",
            "status": "5.0.0",
            "reason": "unable to get mx info: failed to get IPs from PTR record: lookup <nil>",
        },
        RECIPIENT,
    ),
    ({"status": "5.1.1"}, GONE),
    ({"kind": "bounce", "status": "5.1.2"}, GONE),
    ({"kind": "bounce", "status": "5.1.6"}, GONE),
    ({"kind": "bounce", "status": "5.1.10"}, GONE),
    ({"kind": "bounce", "status": "5.1.3"}, RECIPIENT),
    ({"kind": "blocked", "status": "5.1.1"}, NOW),
    ({"kind": "blocked", "status": "5.7.1"}, RECIPIENT),
    ({"kind": "expired", "status": "5.1.1"}, NOW),
    ({"kind": "expired", "reason": "unable to get mx info"}, RECIPIENT),
    ({"kind": "bounce"}, RECIPIENT),
    ({"kind": "bounce", "status": "5.0.0", "reason": "550 5.1.1 no such user"}, GONE),
    ({"kind": "bounce", "reason": "550 5.1.1 no such user"}, GONE),
    ({"kind": "bounce", "reason": "550 5.2.1 The email account is disabled"}, RECIPIENT),
    ({"kind": "bounce", "reason": "552 5.2.2 over quota", "status": "5.2.2"}, RECIPIENT),
    ({"kind": "bounce", "status": "5.1.1", "reason": "550 Client host [192.0.2.7] blocked"}, OURS),
    ({"kind": "bounce", "status": "5.7.26"}, OURS),
    ({"kind": "bounce", "status": "5.0.0", "classification": "Invalid Address"}, GONE),
    ({"kind": "bounce", "classification": "Invalid Address"}, GONE),
    ({"kind": "bounce", "status": "5.2.2", "classification": "Invalid Address"}, RECIPIENT),
    ({"kind": "bounce", "status": "4.2.2", "classification": "Mailbox Unavailable"}, NOW),
    ({"kind": "bounce", "status": "5.0.0", "classification": "Mailbox Unavailable"}, RECIPIENT),
    ({"kind": "bounce", "status": "5.0.0", "classification": "Reputation"}, OURS),
    ({"kind": "bounce", "status": "5.0.0", "classification": "Content"}, MESSAGE),
    ({"kind": "bounce", "status": "5.0.0", "classification": "Unclassified"}, RECIPIENT),
    ({"kind": "bounce", "status": "5.1.1", "reason": "550 5.1.1 <relay@quota.example>"}, GONE),
]  # fmt: skip


@pytest.mark.parametrize(("told", "blame"), BOUNCES)
def test_a_bounce_blames(told: dict[str, str], blame: Blame) -> None:
    event = {"kind": "", "status": "", "reason": "", "classification": "", **told}

    assert judge_bounce(**event) is blame


@pytest.mark.parametrize("code", sorted(STATUSES))
@pytest.mark.parametrize("reply_class", [4, 5])
def test_a_status_means_in_an_event_what_it_means_in_a_reply(code: str, reply_class: int) -> None:
    status = f"{reply_class}.{code}"
    by_event = judge_bounce(kind="bounce", status=status, reason="", classification="")

    reply = parse_reply(reply_class * 100 + 50, f"{status} xyzzy")
    assert by_event is ruling(Phase.RCPT, reply).blame
