"""What SNS signs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.email.ses.certificates import SNS_HOST
from notifier.channels.email.ses.sns import Kind, string_to_sign
from notifier.errors import UnsignedError

TOPIC = "arn:aws:sns:us-east-2:123456789012:s4-MySNSTopic-1G1WEFCOXTC0P"


def test_a_notification_is_signed_as_the_documentation_has_it() -> None:
    fields = {
        "Type": "Notification",
        "MessageId": "4d4dc071-ddbf-465d-bba8-08f81c89da64",
        "TopicArn": TOPIC,
        "Subject": "My subject",
        "Message": "My Test Message",
        "Timestamp": "2019-01-31T04:37:04.321Z",
        "UnsubscribeURL": "https://sns.us-east-2.amazonaws.com/",
    }

    assert string_to_sign(fields, Kind.NOTIFICATION) == (
        b"Message\nMy Test Message\n"
        b"MessageId\n4d4dc071-ddbf-465d-bba8-08f81c89da64\n"
        b"Subject\nMy subject\n"
        b"Timestamp\n2019-01-31T04:37:04.321Z\n"
        b"TopicArn\n" + TOPIC.encode() + b"\n"
        b"Type\nNotification\n"
    )


@pytest.mark.parametrize("kind", [Kind.SUBSCRIPTION, Kind.UNSUBSCRIPTION])
def test_what_is_about_subscribing_is_signed_as_the_documentation_has_it(kind: Kind) -> None:
    url = f"https://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}"
    fields = {
        "Type": str(kind),
        "Token": "233",
        "MessageId": "3d891288-136d-417f-bc05-901c108273ee",
        "TopicArn": TOPIC,
        "Message": "My Test Message",
        "SubscribeURL": url,
        "Subject": "of no notification",
        "Timestamp": "2019-01-31T19:25:13.719Z",
    }

    assert string_to_sign(fields, kind) == (
        b"Message\nMy Test Message\n"
        b"MessageId\n3d891288-136d-417f-bc05-901c108273ee\n"
        b"SubscribeURL\n" + url.encode() + b"\n"
        b"Timestamp\n2019-01-31T19:25:13.719Z\n"
        b"Token\n233\n"
        b"TopicArn\n" + TOPIC.encode() + b"\n"
        b"Type\n" + str(kind).encode() + b"\n"
    )


def test_a_field_that_is_missing_is_named() -> None:
    with pytest.raises(UnsignedError, match="MessageId"):
        string_to_sign(
            {"Message": "x", "Timestamp": "", "TopicArn": "", "Type": ""}, Kind.NOTIFICATION
        )


@pytest.mark.parametrize(
    "region",
    ["us-east-1", "eu-west-1", "ap-southeast-2", "us-gov-west-1", "me-central-1", "il-central-1"],
)
def test_every_region_has_its_host(region: str) -> None:
    assert re.fullmatch(SNS_HOST, f"https://sns.{region}.amazonaws.com", re.ASCII)


@given(st.from_regex(SNS_HOST, fullmatch=True), st.text(min_size=1, max_size=9))
def test_nothing_before_or_behind_a_host_is_taken_for_it(host: str, more: str) -> None:
    for other in (host + more, more + host):
        if other != f"{host}.cn" or host.endswith(".cn"):
            assert re.fullmatch(SNS_HOST, other, re.ASCII) is None
