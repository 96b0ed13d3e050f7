"""What a request may hold, field by field."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.api.kit.fields import parse_time
from notifier.api.notifications.requests import NotificationRequest, read_notification
from notifier.intake.draft import Draft
from notifier.notification.model import Channel, Lane

MAIL: Mapping[str, Any] = {
    "type": "email",
    "recipient": "anna@example.com",
    "subject": "Your order",
    "content": "It is on its way.",
}
SMS: Mapping[str, Any] = {"type": "sms", "recipient": "+491701234567", "content": "On its way."}
IN_APP: Mapping[str, Any] = {"type": "in_app", "recipient": "user 42", "content": "On its way."}


def accepted(value: object) -> Draft:
    reading = read_notification(value)  # type: ignore[arg-type] # anything may come
    assert not reading.errors
    return reading.draft


def wrong(value: object) -> dict[str, str]:
    reading = read_notification(value)  # type: ignore[arg-type] # anything may come
    assert reading.errors
    return {each.where: each.detail for each in reading.errors}


@pytest.mark.parametrize("value", [MAIL, SMS, IN_APP])
def test_the_least_that_a_channel_needs_is_accepted(value: Mapping[str, Any]) -> None:
    assert accepted(value).lane is Lane.NORMAL


def test_in_app_may_be_written_with_a_hyphen() -> None:
    assert accepted({**IN_APP, "type": "in-app"}).channel is Channel.IN_APP


def test_all_that_is_missing_is_reported_at_once() -> None:
    assert set(wrong({})) == {"/type", "/recipient"}


def test_all_that_has_a_wrong_shape_is_reported_at_once() -> None:
    found = wrong(
        {
            "type": "push",
            "recipient": "",
            "content": 1,
            "subject": "",
            "html": [],
            "variables": "none",
            "template": {"version": 1},
            "locale": "de_AT",
            "priority": "urgent",
            "send_at": "tomorrow",
            "expires_at": 1798761600,
            "sensitive": "yes",
            "on_unknown": "forget",
            "metadata": {"a": 1},
            "status": "sent",
        }
    )

    assert set(found) == {
        "/type",
        "/recipient",
        "/content",
        "/subject",
        "/html",
        "/variables",
        "/template",
        "/locale",
        "/priority",
        "/send_at",
        "/expires_at",
        "/sensitive",
        "/on_unknown",
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
    reading = read_notification(value)  # type: ignore[arg-type] # anything may come

    assert bool(reading.errors) == bool(reading.wrong)


def test_what_is_good_of_a_notification_is_read_although_the_rest_is_not() -> None:
    reading = read_notification({**MAIL, "recipient": 5, "subject": "a\0b", "colour": "blue"})

    assert reading.wrong == {"recipient", "subject", "colour"}
    assert (reading.draft.channel, reading.draft.content) == (Channel.EMAIL, MAIL["content"])
    assert (reading.draft.recipient, reading.draft.subject) == ("-", None)


@pytest.mark.parametrize(
    "value",
    [
        {**MAIL, **{f"field {n}": n for n in range(200)}},
        {**MAIL, "metadata": {f"no {n}": n for n in range(2_000)}},
        {**MAIL, "variables": {str(n): "\0" for n in range(200)}, "priority": "urgent"},
    ],
    ids=["fields", "metadata", "unstorable"],
)
def test_so_much_may_be_wrong_that_not_all_of_it_is_told(value: Mapping[str, Any]) -> None:
    reading = read_notification(dict(value))

    assert 1 <= len(reading.errors) <= 101
    assert reading.wrong
