"""What a request may hold, field by field."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.api.kit.fields import parse_time
from notifier.api.notifications.requests import NotificationRequest, Terms
from notifier.notification.model import Channel, Lane

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TERMS = Terms(NOW, frozenset(Channel))
MAIL: Mapping[str, Any] = {
    "type": "email",
    "recipient": "anna@example.com",
    "subject": "Your order",
    "content": "It is on its way.",
}
SMS: Mapping[str, Any] = {"type": "sms", "recipient": "+491701234567", "content": "On its way."}
IN_APP: Mapping[str, Any] = {"type": "in_app", "recipient": "user 42", "content": "On its way."}


def accepted(value: object) -> NotificationRequest:
    checked = NotificationRequest.read(value, TERMS)  # type: ignore[arg-type] # anything may come
    assert isinstance(checked, NotificationRequest), checked
    return checked


def wrong(value: object) -> dict[str, str]:
    checked = NotificationRequest.read(value, TERMS)  # type: ignore[arg-type] # anything may come
    assert isinstance(checked, list), checked
    return {each.where: each.detail for each in checked}


@pytest.mark.parametrize("value", [MAIL, SMS, IN_APP])
def test_the_least_that_a_channel_needs_is_accepted(value: Mapping[str, Any]) -> None:
    assert accepted(value).priority is Lane.NORMAL


def test_a_channel_that_is_off_is_refused() -> None:
    terms = Terms(NOW, frozenset({Channel.EMAIL}))

    checked = NotificationRequest.read(dict(SMS), terms)

    assert isinstance(checked, list)
    assert [(each.where, each.detail) for each in checked] == [("/type", "sms is turned off here")]


def test_in_app_may_be_written_with_a_hyphen() -> None:
    assert accepted({**IN_APP, "type": "in-app"}).type is Channel.IN_APP


def test_all_that_is_missing_is_reported_at_once() -> None:
    assert set(wrong({})) == {"/type", "/recipient", "/content"}


def test_all_that_is_wrong_is_reported_at_once() -> None:
    found = wrong(
        {
            "type": "sms",
            "recipient": "0170 1234567",
            "content": "{{ name }}",
            "subject": "no",
            "html": "<p>no</p>",
            "variables": {},
            "priority": "urgent",
            "send_at": "tomorrow",
            "expires_at": "2020-01-01T00:00:00Z",
            "sensitive": "yes",
            "metadata": {"a": 1},
            "status": "sent",
        }
    )

    assert set(found) == {
        "/recipient",
        "/content",
        "/subject",
        "/html",
        "/priority",
        "/send_at",
        "/expires_at",
        "/sensitive",
        "/metadata/a",
        "/status",
    }
    assert found["/status"] == "unknown field"


@pytest.mark.parametrize("value", [None, [], "text", 1, True, [MAIL]])
def test_only_an_object_is_a_notification(value: object) -> None:
    assert wrong(value) == {"": "expected an object"}


@pytest.mark.parametrize("type_", ["push", "EMAIL", "", None, 1, ["email"], {}])
def test_an_unknown_type_is_refused(type_: object) -> None:
    assert wrong({**MAIL, "type": type_})["/type"] == "expected one of email, sms, in_app"


@pytest.mark.parametrize(
    ("value", "recipient"),
    [
        (MAIL, "nobody"),
        (MAIL, "a@b@example.com"),
        (MAIL, "u@x.io\r\nRCPT TO:<e@x.io>"),
        (SMS, "+49"),
        (SMS, "tel:+491701234567;ext=1"),
        (SMS, "+1 800 FLOWERS"),
        (IN_APP, "line\nbreak"),
        (IN_APP, "x" * 201),
        (IN_APP, ""),
    ],
)
def test_a_recipient_that_is_none_of_its_channel_is_refused(
    value: Mapping[str, Any], recipient: str
) -> None:
    found = wrong({**value, "recipient": recipient})

    assert list(found) == ["/recipient"]
    assert len(recipient) < 4 or recipient not in found["/recipient"]


@pytest.mark.parametrize(
    "subject", ["a\nb", "a\rb", "a\x0bb", "a\x1cb", "a\x85b", "a\u2028b", "a\u2029b", "\t"]
)
def test_a_subject_of_more_than_one_line_is_refused(subject: str) -> None:
    assert "/subject" in wrong({**MAIL, "subject": subject})


def test_a_subject_that_becomes_two_lines_when_filled_is_refused() -> None:
    value = {**MAIL, "subject": "Hi {{ name }}", "variables": {"name": "x\r\nBcc: e@x.io"}}

    assert "control characters" in wrong(value)["/subject"]


def test_an_email_needs_a_subject_and_an_sms_has_none() -> None:
    assert "/subject" in wrong({k: v for k, v in MAIL.items() if k != "subject"})
    assert "/subject" in wrong({**SMS, "subject": "Hi"})
    assert accepted({**IN_APP, "subject": "Hi"}).subject == "Hi"


def test_only_an_email_has_html() -> None:
    assert accepted({**MAIL, "html": "<p>Hi</p>"}).html == "<p>Hi</p>"
    assert "/html" in wrong({**SMS, "html": "<p>Hi</p>"})
    assert "/html" in wrong({**IN_APP, "html": "<p>Hi</p>"})


@pytest.mark.parametrize("field", ["content", "subject", "html"])
def test_a_missing_variable_is_named_at_the_template_that_needs_it(field: str) -> None:
    found = wrong({**MAIL, field: "Hi {{ user.name }}", "variables": {"user": {}}})

    assert found == {f"/{field}": "no value in variables for user.name"}


def test_an_sms_may_be_1600_characters_once_filled() -> None:
    accepted({**SMS, "content": "{{ text }}", "variables": {"text": "x" * 1_600}})
    assert "/content" in wrong({**SMS, "content": "{{ text }}", "variables": {"text": "x" * 1_601}})


def test_a_template_whose_output_would_explode_is_refused() -> None:
    value = {**MAIL, "content": "{{ a }}" * 2_000, "variables": {"a": "x" * 10_000}}

    assert "longer than 100000" in wrong(value)["/content"]


def test_a_text_that_is_empty_once_filled_is_refused() -> None:
    assert "/content" in wrong({**SMS, "content": "{{ a }}", "variables": {"a": " "}})


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("content", "a\0b", "/content"),
        ("subject", "a\0b", "/subject"),
        ("metadata", {"a": "\0"}, "/metadata/a"),
        ("variables", {"a": {"b": ["x", "\0"]}}, "/variables/a/b/1"),
        ("variables", {"a\0": 1}, "/variables"),
        ("variables", {"a/b": "\0"}, "/variables/a~1b"),
    ],
)
def test_nul_is_refused_wherever_it_hides(field: str, value: object, where: str) -> None:
    assert "NUL" in wrong({**MAIL, field: value})[where]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, float("inf"), 10**400])
def test_a_number_beyond_64_bits_is_refused(number: float) -> None:
    assert "64 bits" in wrong({**MAIL, "variables": {"n": number}})["/variables/n"]


@pytest.mark.parametrize(
    "time",
    [
        "2027-01-31T18:00:00",
        "2027-01-31",
        "2027-13-31T18:00:00Z",
        "2027-01-31T24:30:00Z",
        "2027-01-31T18:00:60Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1798761600",
        1798761600,
        "2027-01-31T18:00:00Z\n",
        "٢٠٢٧-01-31T18:00:00Z",
    ],
)
def test_a_time_that_is_not_rfc_3339_with_an_offset_is_refused(time: object) -> None:
    assert "RFC 3339" in wrong({**MAIL, "send_at": time})["/send_at"]


@pytest.mark.parametrize(
    "time", ["2026-11-20T18:00:00+01:00", "2026-11-20t17:00:00z", "2026-11-20 17:00:00.000000000Z"]
)
def test_a_time_is_understood_in_every_form_of_rfc_3339(time: str) -> None:
    assert parse_time(time) == datetime(2026, 11, 20, 17, tzinfo=UTC)


def test_an_expiry_lies_in_the_future_and_after_the_sending() -> None:
    def times(send_in_h: int, expire_in_h: int) -> dict[str, Any]:
        send, expire = (NOW + timedelta(hours=h) for h in (send_in_h, expire_in_h))
        return {**MAIL, "send_at": send.isoformat(), "expires_at": expire.isoformat()}

    accepted(times(1, 2))
    assert "/expires_at" in wrong(times(1, 1))
    assert "/expires_at" in wrong(times(2, 1))
    assert "/expires_at" in wrong({**MAIL, "expires_at": NOW.isoformat()})


def test_a_sending_lies_at_most_a_year_ahead() -> None:
    ahead = (NOW + timedelta(days=367)).isoformat()

    assert "/send_at" in wrong({**MAIL, "send_at": ahead})


def test_a_sending_in_the_past_is_one_at_once() -> None:
    request = accepted({**MAIL, "send_at": (NOW - timedelta(hours=1)).isoformat()})

    submission = request.submission(uuid4(), service="orders", now=NOW, traceparent=None)

    assert submission.send_at is None


def test_what_an_inbox_would_show_cannot_be_sensitive() -> None:
    assert accepted({**MAIL, "sensitive": True}).sensitive
    assert "/sensitive" in wrong({**IN_APP, "sensitive": True})


@pytest.mark.parametrize(
    ("metadata", "where"),
    [
        ({str(n): "x" for n in range(21)}, "/metadata"),
        ({"a b": "x"}, "/metadata/a b"),
        ({"a\n": "x"}, "/metadata/a\n"),
        ({"a": "x" * 501}, "/metadata/a"),
        ({"a": None}, "/metadata/a"),
        (["a"], "/metadata"),
    ],
)
def test_metadata_is_bounded(metadata: object, where: str) -> None:
    assert where in wrong({**MAIL, "metadata": metadata})


def test_variables_are_bounded() -> None:
    assert "/variables" in wrong({**MAIL, "variables": {"a": "x" * 100_000}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.just(MAIL.get(name)) | JSON for name in NotificationRequest.model_fields
        },
    )
)
def test_whatever_comes_is_accepted_or_refused_but_never_breaks(value: object) -> None:
    checked = NotificationRequest.read(value, TERMS)  # type: ignore[arg-type] # anything may come

    assert isinstance(checked, NotificationRequest) or checked
