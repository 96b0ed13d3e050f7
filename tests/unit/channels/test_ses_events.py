"""What SES's reports mean, as notifications and as published events."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from uuid_utils import compat

from notifier.channels.email.ses.events import ses_receipt
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import BOUNCE, DELIVER, SETTLE, Transition
from notifier.providers.receipt import Receipt

ID = compat.uuid7()
SES_ID = "01020193f5c0a5b2-34208509-5b74-41f3-95c5-22c1edc3c924-000000"
HARD_BOUNCE = SuppressionReason.HARD_BOUNCE


def mail(**changes: Any) -> dict[str, Any]:
    """The mail object, as documented for both shapes."""
    return {
        "timestamp": "2016-01-27T14:59:38.237Z",
        "messageId": SES_ID,
        "source": "no-reply@shop.example",
        "destination": ["anna@example.com"],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": "Shop <no-reply@shop.example>"},
            {"name": "Message-ID", "value": f"<{ID}@shop.example>"},
        ],
        "commonHeaders": {"messageId": f"<{ID}@shop.example>"},
        **changes,
    }


def read(kind: str, shape: str = "eventType", **parts: Any) -> Receipt | None:
    return ses_receipt(json.dumps({shape: kind, "mail": mail(), **parts}), "id-of-sns")


def bounce(
    kind: str, sub: str, status: str | None = None, diagnosis: str | None = None
) -> Receipt | None:
    told = {"emailAddress": "anna@example.com", "status": status, "diagnosticCode": diagnosis}
    recipient = {name: value for name, value in told.items() if value is not None}
    return read(
        "Bounce",
        bounce={
            "bounceType": kind,
            "bounceSubType": sub,
            "bouncedRecipients": [recipient],
            "timestamp": "2016-01-27T14:59:38.237Z",
        },
    )


@pytest.mark.parametrize("shape", ["eventType", "notificationType"])
def test_both_shapes_say_the_same(shape: str) -> None:
    receipt = read("Delivery", shape, delivery={"timestamp": "2014-05-28T22:41:01.184Z"})

    assert receipt == Receipt(
        provider="ses",
        event_id="id-of-sns",
        id=ID,
        transition=DELIVER,
        provider_id=SES_ID,
        at=datetime(2014, 5, 28, 22, 41, 1, 184_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("kind", "transition"),
    [
        ("Send", SETTLE),
        ("DeliveryDelay", SETTLE),
        ("Delivery", DELIVER),
        ("Reject", BOUNCE),
        ("Rendering Failure", BOUNCE),
    ],
)
def test_an_event_is_a_transition(kind: str, transition: Transition) -> None:
    receipt = read(kind)

    assert receipt is not None
    assert receipt.transition is transition
    assert receipt.suppress_as is None
    assert (receipt.fault is not None) == (transition is BOUNCE)


@pytest.mark.parametrize("kind", ["Open", "Click", "Subscription", "Unheard of", ""])
def test_an_event_of_no_use_changes_nothing(kind: str) -> None:
    assert read(kind) is None


@pytest.mark.parametrize(
    ("kind", "sub", "status", "diagnosis", "suppresses"),
    [
        ("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 <anna@example.com>... User", True),
        ("Permanent", "General", "5.0.0", "smtp; 550 user unknown", True),
        ("Permanent", "General", "5.0.0", "X-Postfix; unknown user", True),
        ("Permanent", "General", None, None, True),
        ("Permanent", "NoEmail", "5.0.0", "smtp; 550 no", True),
        ("Permanent", "General", "5.7.1", "smtp; 550 5.7.1 blocked using zen.spamhaus.org", False),
        ("Permanent", "General", "5.2.1", "smtp; 550 5.2.1 This mailbox is disabled", False),
        ("Permanent", "General", "5.3.4", "smtp; 552 5.3.4 Message too large", False),
        ("Permanent", "Suppressed", "5.1.1", "Amazon SES has suppressed sending to it", False),
        ("Permanent", "OnAccountSuppressionList", "5.1.1", None, False),
        ("Permanent", "UnsubscribedRecipient", None, None, False),
        ("Transient", "General", "4.4.7", "smtp; 554 4.4.7 Message expired", False),
        ("Transient", "General", "5.1.1", "smtp; 550 5.1.1 unknown user", False),
        ("Transient", "MailboxFull", "5.2.2", "smtp; 552 5.2.2 mailbox full", False),
        ("Transient", "MessageTooLarge", None, None, False),
        ("Transient", "ContentRejected", None, None, False),
        ("Transient", "AttachmentRejected", None, None, False),
        ("Undetermined", "Undetermined", "5.1.1", "smtp; 550 5.1.1 unknown user", False),
        ("of a later version", "", "5.1.1", None, False),
    ],
)
def test_a_bounce_ends_it_and_suppresses_only_where_there_is_no_such_address(
    kind: str, sub: str, status: str | None, diagnosis: str | None, *, suppresses: bool
) -> None:
    receipt = bounce(kind, sub, status, diagnosis)

    assert receipt is not None
    assert receipt.transition is BOUNCE
    assert receipt.suppress_as is (HARD_BOUNCE if suppresses else None)
    assert receipt.fault is not None
    assert receipt.fault.code == (status or f"Bounce {kind} {sub}".strip())
    assert "anna" not in receipt.fault.message


def test_an_absence_note_is_no_bounce() -> None:
    assert bounce("Transient", "General") is None


@pytest.mark.parametrize("feedback", ["abuse", "fraud", "other", None, "of a later version"])
def test_a_complaint_suppresses_and_leaves_the_mail_as_it_was(feedback: str | None) -> None:
    receipt = read("Complaint", complaint={"complaintFeedbackType": feedback})

    assert receipt is not None
    assert (receipt.transition, receipt.fault) == (None, None)
    assert receipt.suppress_as is SuppressionReason.SPAM_REPORT


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure", "virus"])
def test_feedback_by_which_nobody_complains_changes_nothing(feedback: str) -> None:
    assert read("Complaint", complaint={"complaintFeedbackType": feedback}) is None


def test_a_complaint_of_before_means_that_it_was_not_sent() -> None:
    receipt = read("Complaint", complaint={"complaintSubType": "OnAccountSuppressionList"})

    assert receipt is not None
    assert (receipt.transition, receipt.suppress_as) == (BOUNCE, None)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        None,
        [7, {"name": "Message-ID"}],
        [{"name": "Message-ID", "value": "<custom-message-ID@shop.example>"}],
        [{"name": "Message-ID", "value": f"<{str(ID)[:-1]}-@shop.example>"}],
        [{"name": "X-Message-ID", "value": f"<{ID}@shop.example>"}],
    ],
)
def test_a_mail_of_somebody_else_changes_nothing(headers: Any) -> None:
    event = {"eventType": "Delivery", "mail": mail(headers=headers)}

    assert ses_receipt(json.dumps(event), "1") is None


def test_reports_without_the_headers_say_what_to_set() -> None:
    told = {name: value for name, value in mail().items() if "eaders" not in name}
    event = {"notificationType": "Delivery", "mail": told}

    with capture_logs() as logs:
        assert ses_receipt(json.dumps(event), "1") is None

    assert [each["event"] for each in logs] == ["ses.no_headers"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=9,
)
parts = st.dictionaries(
    st.sampled_from(
        ["bounceType", "bounceSubType", "bouncedRecipients", "timestamp", "complaintFeedbackType"]
    ),
    st.one_of(
        json_values,
        st.sampled_from(["Permanent", "Transient", "General", "2016-01-27T14:59:38"]),
        st.lists(
            st.dictionaries(st.sampled_from(["status", "diagnosticCode", "action"]), json_values),
            max_size=2,
        ),
    ),
)


@given(
    kind=st.sampled_from(["Bounce", "Complaint", "Delivery", "Reject"]),
    told=parts | json_values,
    headers=json_values,
)
def test_whatever_a_report_holds_it_is_read(kind: str, told: Any, headers: Any) -> None:
    ours = [headers, {"name": "message-id", "value": f"<{ID}@shop.example>"}]
    event = {"eventType": kind, "mail": mail(headers=ours), kind.lower(): told}

    receipt = ses_receipt(json.dumps(event), "1")

    assert receipt is None or (receipt.id == UUID(str(ID)) and receipt.provider_id == SES_ID)


@given(text=st.text() | json_values.map(json.dumps))
def test_whatever_comes_through_the_topic_is_taken(text: str) -> None:
    assert ses_receipt(text, "1") is None
