"""What providers' callbacks mean."""

from datetime import UTC, datetime

import pytest
from uuid_utils import compat

from notifier.channels.email.sendgrid.receipts import sendgrid_receipts
from notifier.channels.sms.twilio.receipts import twilio_opting, twilio_receipt
from notifier.notification.model import JsonValue
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import BOUNCE, DELIVER, SETTLE, Transition
from notifier.providers.receipt import Receipt
from tests.callbacks import message_form, status_form

ID = compat.uuid7()


def event(**changes: JsonValue) -> dict[str, JsonValue]:
    return {
        "event": "delivered",
        "email": "anna@example.com",
        "sg_event_id": "ZGVsaXZlcmVk",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "notification_id": str(ID),
        "timestamp": 1_800_000_000,
        **changes,
    }


def only(*events: JsonValue) -> Receipt:
    (receipt,) = sendgrid_receipts(list(events))
    return receipt


@pytest.mark.parametrize(
    ("status", "transition"),
    [
        ("accepted", SETTLE),
        ("queued", SETTLE),
        ("sending", SETTLE),
        ("sent", SETTLE),
        ("delivered", DELIVER),
        ("undelivered", BOUNCE),
        ("failed", BOUNCE),
    ],
)
def test_a_twilio_status_is_a_transition(status: str, transition: Transition) -> None:
    receipt = twilio_receipt(ID, status_form(status))

    assert receipt is not None
    assert receipt.transition is transition
    assert receipt.event_id == f"SM{'0' * 32}:{status}"
    assert (receipt.fault is not None) == (transition is BOUNCE)


def test_a_twilio_failure_keeps_its_code_and_stop_suppresses() -> None:
    failed = twilio_receipt(ID, status_form("failed", ErrorCode="30003"))
    stopped = twilio_receipt(ID, status_form("undelivered", ErrorCode="21610"))

    assert failed is not None
    assert failed.fault is not None
    assert failed.fault.code == "30003"
    assert failed.suppress_as is None
    assert stopped is not None
    assert stopped.suppress_as is SuppressionReason.UNSUBSCRIBED


@pytest.mark.parametrize(
    "form", [{}, status_form("receiving"), {**status_form("sent"), "MessageSid": "no sid\n"}]
)
def test_a_twilio_callback_of_no_use_is_none(form: dict[str, str]) -> None:
    assert twilio_receipt(ID, form) is None


@pytest.mark.parametrize(
    ("changes", "transition", "suppress_as"),
    [
        ({"event": "processed"}, SETTLE, None),
        ({"event": "delivered"}, DELIVER, None),
        (
            {"event": "bounce", "type": "bounce", "status": "5.1.1"},
            BOUNCE,
            SuppressionReason.HARD_BOUNCE,
        ),
        ({"event": "bounce", "type": "bounce"}, BOUNCE, None),
        ({"event": "bounce", "type": "blocked"}, BOUNCE, None),
        ({"event": "dropped", "reason": "Invalid"}, BOUNCE, None),
        ({"event": "dropped", "reason": "something new"}, BOUNCE, None),
        ({"event": "dropped"}, BOUNCE, None),
        (
            {"event": "dropped", "reason": "Bounced Address"},
            BOUNCE,
            None,
        ),
        (
            {"event": "dropped", "reason": "Spam Reporting Address"},
            BOUNCE,
            SuppressionReason.SPAM_REPORT,
        ),
        (
            {"event": "dropped", "reason": "Unsubscribed Address"},
            BOUNCE,
            SuppressionReason.UNSUBSCRIBED,
        ),
        ({"event": "spamreport"}, None, SuppressionReason.SPAM_REPORT),
        ({"event": "unsubscribe"}, None, SuppressionReason.UNSUBSCRIBED),
        ({"event": "group_unsubscribe"}, None, SuppressionReason.UNSUBSCRIBED),
    ],
)
def test_a_sendgrid_event_is_a_transition_or_a_suppression(
    changes: dict[str, JsonValue],
    transition: Transition | None,
    suppress_as: SuppressionReason | None,
) -> None:
    receipt = only(event(**changes))

    assert receipt.transition is transition
    assert receipt.suppress_as is suppress_as
    assert receipt.provider_id == "14c5d75ce93"


@pytest.mark.parametrize(
    "useless",
    [
        event(event="deferred"),
        event(event="open"),
        event(event="click"),
        event(notification_id="of another system"),
        event(notification_id=None),
        event(sg_event_id=None),
        event(sg_event_id="nul\0"),
        {},
        "text",
        None,
    ],
)
def test_a_sendgrid_event_of_no_use_is_left_out(useless: JsonValue) -> None:
    assert only(useless, event()).event_id == "ZGVsaXZlcmVk"


@pytest.mark.parametrize("events", [{}, None, "delivered", 1])
def test_what_is_no_array_holds_no_events(events: JsonValue) -> None:
    assert list(sendgrid_receipts(events)) == []


def test_nothing_that_a_provider_writes_is_kept() -> None:
    reason = "550 5.1.1 <anna@example.com>: no such user"
    receipt = only(event(event="bounce", type="bounce", status="5.1.1", reason=reason))

    assert receipt.fault is not None
    assert receipt.fault.code == "5.1.1"
    assert "anna" not in repr(receipt)


def test_who_subscribes_again_is_lifted_at_the_time_of_the_event() -> None:
    receipt = only(event(event="group_resubscribe"))

    assert (receipt.transition, receipt.suppress_as) == (None, None)
    assert receipt.lift is SuppressionReason.UNSUBSCRIBED
    assert receipt.at == datetime.fromtimestamp(1_800_000_000, UTC)


@pytest.mark.parametrize("timestamp", [None, "1800000000", True, -1, 0, 2**40, 1.5])
def test_an_event_without_a_time_is_of_now(timestamp: JsonValue) -> None:
    assert only(event(timestamp=timestamp)).at is None


@pytest.mark.parametrize(
    "form",
    [
        message_form("START"),
        message_form(" unstop\n"),
        message_form("Yes"),
        message_form("bonjour", OptOutType="START"),
    ],
)
def test_start_lifts_the_unsubscription_of_its_number(form: dict[str, str]) -> None:
    receipt = twilio_opting(form)

    assert receipt is not None
    assert (receipt.id, receipt.number, receipt.transition) == (None, form["From"], None)
    assert receipt.lift is SuppressionReason.UNSUBSCRIBED


@pytest.mark.parametrize(
    "form",
    [
        *(message_form(word) for word in ("STOP", "stopall", "Unsubscribe", "END", "optout")),
        message_form("arrêt", OptOutType="STOP"),
        message_form("START", OptOutType="STOP"),
    ],
)
def test_stop_unsubscribes_its_number(form: dict[str, str]) -> None:
    receipt = twilio_opting(form)

    assert receipt is not None
    assert (receipt.id, receipt.number, receipt.lift) == (None, form["From"], None)
    assert receipt.suppress_as is SuppressionReason.UNSUBSCRIBED


@pytest.mark.parametrize(
    "form",
    [
        {},
        message_form("start the car"),
        message_form("please stop"),
        message_form("STOP", OptOutType="HELP"),
        message_form("START", From="whatsapp:+491701234567"),
        message_form("START", From="12345"),
        message_form("START", MessageSid="no sid\n"),
    ],
)
def test_other_messages_change_nothing(form: dict[str, str]) -> None:
    assert twilio_opting(form) is None
