"""What SNS signs."""

import asyncio
import json
import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.email.ses.certificates import SNS_HOST, Certificates
from notifier.channels.email.ses.sns import Kind, Mailroom, SnsMessage, string_to_sign
from notifier.clock import SystemClock
from notifier.errors import UnsignedError
from tests.servers.sns import TOPIC, Sns, a_certificate

TEXT: Final = "a report " * 500


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


@pytest.fixture(scope="module")
def sns() -> Sns:
    signer = Sns()
    signer.certificate = a_certificate(signer.key)
    return signer


@pytest.fixture(scope="module")
def mailroom(sns: Sns) -> Mailroom:
    async def fetch(_url: str, /) -> bytes:
        return sns.certificate

    clock = SystemClock()
    return Mailroom([TOPIC], Certificates(fetch, clock), clock)


@pytest.fixture(scope="module")
def body(sns: Sns) -> bytes:
    return json.dumps(sns.signed("Notification", Subject="SES", Message=TEXT)).encode()


def opened(mailroom: Mailroom, body: bytes) -> SnsMessage | None:
    try:
        return asyncio.run(mailroom.open(body))
    except UnsignedError:
        return None


@given(data=st.data())
def test_whoever_alters_a_message_changes_nothing_of_what_is_taken(
    mailroom: Mailroom, body: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    more = data.draw(st.binary(max_size=3))
    altered = body[:at] + more + body[at + data.draw(st.integers(0, 3)) :]

    assert opened(mailroom, altered) in (None, opened(mailroom, body))


@given(junk=st.binary(max_size=200) | st.text().map(str.encode))
def test_what_nobody_signed_is_not_taken(mailroom: Mailroom, junk: bytes) -> None:
    assert opened(mailroom, junk) is None


def test_what_sns_signed_is_taken(mailroom: Mailroom, body: bytes) -> None:
    taken = opened(mailroom, body)

    assert taken is not None
    assert (taken.kind, taken.topic, taken.text) == (Kind.NOTIFICATION, TOPIC, TEXT)
