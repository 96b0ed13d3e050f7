"""What SES reports through SNS: who signed it, and what is made of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from notifier.channels.email.ses.callbacks import notification_route
from notifier.errors import UncheckedError
from notifier.notification.model import Channel
from notifier.notification.transitions import RETRY, SUCCEED
from tests.api import Api, client_of, serving
from tests.integration.test_api_callbacks import ended, standing, status_of
from tests.patience import AT_ALL_S
from tests.servers.sns import (
    CERTIFICATE_URL,
    HOST,
    PLACE,
    SUBSCRIBE_URL,
    TOPIC,
    Sns,
    a_certificate,
    a_key,
    open_sns,
    posted,
    string_to_sign,
)


@pytest.fixture
async def sns(tmp_path: Path) -> AsyncIterator[Sns]:
    async with open_sns(tmp_path) as sns:
        yield sns


@pytest.fixture
async def api(tmp_path: Path, sns: Sns) -> AsyncIterator[Api]:
    async with serving(
        tmp_path,
        callbacks=lambda clock: [notification_route([TOPIC], clock, sns.fetch)],
        callback_patience_s=0.2,
    ) as it:
        yield it


def report(id: UUID, kind: str = "Delivery", **told: Any) -> str:
    """Return what SES publishes of a mail of ours as an event."""
    mail = {
        "messageId": "01020193f5c0a5b2-34208509-5b74-41f3-95c5-22c1edc3c924-000000",
        "destination": ["anna@example.com"],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": "Shop <no-reply@shop.example>"},
            {"name": "Message-ID", "value": f"<{id}@shop.example>"},
        ],
    }
    return json.dumps({"eventType": kind, "mail": mail, kind.lower(): told})


HARD = {"bounceType": "Permanent", "bounceSubType": "NoEmail", "bouncedRecipients": [{}]}


async def call(api: Api, request: dict[str, Any]) -> httpx2.Response:
    async with client_of(api.app) as client:
        return await client.post("/callbacks/ses", **request)


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_signed_report_is_applied_and_a_replay_changes_nothing(
    api: Api, sns: Sns, version: str
) -> None:
    id = await ended(api, SUCCEED, Channel.EMAIL)
    message = sns.message("Notification", version=version, Message=report(id), Subject="SES")

    answers = [await call(api, message) for _ in range(2)]

    assert [each.status_code for each in answers] == [204, 204]
    timeline = (await api.client.get(f"/api/v1/notifications/{id}/status")).json()["history"]
    assert [each["event"] for each in timeline] == ["accept", "claim", "succeed", "deliver"]
    assert sns.asked == [PLACE]


async def test_a_report_settles_an_unknown_outcome_with_the_id_of_ses(api: Api, sns: Sns) -> None:
    id = await ended(api, RETRY, Channel.EMAIL)

    await call(api, sns.message("Notification", Message=report(id, "Send")))

    shown = await standing(api, id)
    assert (shown["status"], shown["provider"]) == ("sent", "ses")
    assert str(shown["provider_id"]).startswith("01020193f5c0a5b2-")


async def test_a_hard_bounce_suppresses_and_a_report_that_came_first_does_not_revive_it(
    api: Api, sns: Sns
) -> None:
    id = await ended(api, SUCCEED, Channel.EMAIL)

    await call(api, sns.message("Notification", Message=report(id, "Bounce", **HARD)))
    await call(api, sns.message("Notification", Message=report(id)))

    assert await status_of(api, id) == "bounced"
    (entry,) = (await api.client.get("/api/v1/suppressions")).json()["items"]
    assert (entry["reason"], entry["notification_id"]) == ("hard_bounce", str(id))


async def test_a_report_of_somebody_elses_mail_is_taken_without_effect(api: Api, sns: Sns) -> None:
    words = "Successfully validated SNS topic for Amazon SES event publishing."
    for text in (words, report(uuid4()), "[]", '{"eventType":"Open"}', '{"mail":7}'):
        assert (await call(api, sns.message("Notification", Message=text))).status_code == 204


async def test_a_subscription_is_confirmed_at_sns(api: Api, sns: Sns) -> None:
    with capture_logs() as logs:
        answer = await call(api, sns.message("SubscriptionConfirmation"))

    assert answer.status_code == 204
    assert sns.asked == [PLACE, SUBSCRIBE_URL.removeprefix(f"https://{HOST}")]
    assert [each["topic"] for each in logs if each["event"] == "ses.subscribed"] == [TOPIC]


async def test_a_subscription_that_cannot_be_confirmed_now_is_asked_for_again(
    api: Api, sns: Sns
) -> None:
    await call(api, sns.message("Notification", Message="{}"))
    sns.answer = web.Response(status=500)

    assert (await call(api, sns.message("SubscriptionConfirmation"))).status_code == 503


async def test_who_is_unsubscribed_is_told_and_does_not_subscribe_again(api: Api, sns: Sns) -> None:
    with capture_logs() as logs:
        answer = await call(api, sns.message("UnsubscribeConfirmation"))

    assert answer.status_code == 204
    assert sns.asked == [PLACE]
    assert [each["log_level"] for each in logs if each["event"] == "ses.unsubscribed"] == ["error"]


@pytest.mark.parametrize(
    "url",
    [
        SUBSCRIBE_URL.replace("https", "http"),
        SUBSCRIBE_URL.replace(HOST, f"{HOST}.evil.example"),
        SUBSCRIBE_URL.replace(HOST, "evil.example"),
        SUBSCRIBE_URL.replace(HOST, f"{HOST}@evil.example"),
        SUBSCRIBE_URL.replace(HOST, f"{HOST}:8443"),
        SUBSCRIBE_URL.replace("ConfirmSubscription", "Unsubscribe"),
        f"https://{HOST}/other",
    ],
)
async def test_a_subscription_is_confirmed_nowhere_else(api: Api, sns: Sns, url: str) -> None:
    answer = await call(api, sns.message("SubscriptionConfirmation", SubscribeURL=url))

    assert answer.status_code == 403
    assert sns.asked == [PLACE]


@pytest.mark.parametrize(
    "name",
    ["Message", "MessageId", "Subject", "Timestamp", "Type", "Signature", "SignatureVersion"],
)
async def test_a_message_with_an_altered_field_is_refused(api: Api, sns: Sns, name: str) -> None:
    id = await ended(api, SUCCEED, Channel.EMAIL)
    fields = sns.signed("Notification", Message=report(id), Subject="SES")
    bounce = report(id, "Bounce", **HARD)
    others = sns.signed("Notification", Message=bounce, Subject="other", Timestamp=at(-0.1))
    others |= {"Type": "SubscriptionConfirmation", "SignatureVersion": "2"}

    answer = await call(api, posted({**fields, name: others[name]}))

    assert (answer.status_code, answer.json()["code"]) == (403, "bad-signature")
    assert await status_of(api, id) == "sent"


async def test_a_subject_cannot_be_added_or_taken_away(api: Api, sns: Sns) -> None:
    with_it, without = sns.signed("Notification", Subject="SES"), sns.signed("Notification")
    taken = {name: value for name, value in with_it.items() if name != "Subject"}

    assert (await call(api, posted(taken))).status_code == 403
    assert (await call(api, posted({**without, "Subject": "SES"}))).status_code == 403


async def test_a_message_of_another_topic_is_refused_unfetched(api: Api, sns: Sns) -> None:
    other = sns.message("Notification", TopicArn=f"{TOPIC}-of-somebody-else")
    disguised = {**other, "headers": {**other["headers"], "X-Amz-Sns-Topic-Arn": TOPIC}}

    for message in (other, disguised):
        answer = await call(api, message)
        assert answer.status_code == 403
        assert "NOTIFIER_SES__TOPIC_ARNS" in answer.json()["detail"]
    assert sns.asked == []


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL.replace(HOST, f"{HOST}.evil.example"),
        CERTIFICATE_URL.replace(HOST, "evil.example"),
        CERTIFICATE_URL.replace(HOST, f"evil.example/{HOST}"),
        CERTIFICATE_URL.replace(HOST, f"{HOST}@evil.example"),
        CERTIFICATE_URL.replace(HOST, f"user:word@{HOST}"),
        CERTIFICATE_URL.replace(HOST, f"{HOST}:8443"),
        CERTIFICATE_URL.replace(HOST, "sns.amazonaws.com"),
        CERTIFICATE_URL.replace(HOST, "sns.eu-west-1.evil.amazonaws.com"),
        CERTIFICATE_URL.replace(HOST, "s3.eu-west-1.amazonaws.com"),
        CERTIFICATE_URL.replace(HOST, "sns.eu-west-1-amazonaws.com"),
        CERTIFICATE_URL.replace(HOST, "sns.eu-west-1xamazonaws.com"),
        CERTIFICATE_URL.replace("https", "http"),
        CERTIFICATE_URL.replace("https", "HTTPS"),
        f"{CERTIFICATE_URL}?x",
        f"{CERTIFICATE_URL}#x",
        f"{CERTIFICATE_URL}\n",
        f" {CERTIFICATE_URL}",
        f"https://{HOST}/?Action=GetTopicAttributes&x=.pem",
        f"https://{HOST}/../evil.pem",
        f"file://{PLACE}",
        "",
    ],
)
async def test_a_certificate_is_fetched_from_nowhere_but_sns(api: Api, sns: Sns, url: str) -> None:
    answer = await call(api, sns.message("Notification", SigningCertURL=url))

    assert answer.status_code == 403
    assert sns.asked == []


@pytest.mark.parametrize(
    "host", ["sns.us-gov-west-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"]
)
async def test_a_host_that_only_claims_to_be_sns_is_found_out(
    api: Api, sns: Sns, host: str
) -> None:
    # The stand-in's TLS certificate is for another region.
    url = CERTIFICATE_URL.replace(HOST, host)

    assert (await call(api, sns.message("Notification", SigningCertURL=url))).status_code == 503


@pytest.mark.parametrize(("from_days", "until_days"), [(-2, -0.01), (0.01, 2)])
async def test_a_certificate_out_of_its_time_signs_nothing(
    api: Api, sns: Sns, from_days: float, until_days: float
) -> None:
    sns.certificate = a_certificate(sns.key, from_days=from_days, until_days=until_days)

    assert (await call(api, sns.message("Notification"))).status_code == 403


async def test_a_kept_certificate_that_ran_out_signs_nothing_more(api: Api, sns: Sns) -> None:
    assert (await call(api, sns.message("Notification"))).status_code == 204
    api.clock.days_on = 2

    answer = await call(api, sns.message("Notification", Timestamp=at(48)))

    assert answer.status_code == 403
    assert "not valid at this time" in answer.json()["detail"]


async def test_another_key_signs_nothing(api: Api, sns: Sns) -> None:
    sns.certificate = a_certificate(a_key())

    assert (await call(api, sns.message("Notification"))).status_code == 403


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=404),
        web.Response(status=302, headers={"Location": f"https://{HOST}{PLACE}"}),
        web.Response(body=b"-----BEGIN CERTIFICATE-----\n"),
        web.Response(body=b"x" * 20_000),
    ],
    ids=["none", "redirect", "junk", "huge"],
)
async def test_what_is_no_certificate_is_not_kept_and_the_message_asked_for_again(
    api: Api, sns: Sns, answer: web.Response
) -> None:
    sns.answer = answer
    refused = await call(api, sns.message("Notification"))
    sns.answer = None

    assert refused.status_code == 503
    assert (await call(api, sns.message("Notification"))).status_code == 204
    assert sns.asked == [PLACE, PLACE]


async def test_of_a_certificate_no_more_is_read_than_one_needs(api: Api, sns: Sns) -> None:
    sns.answer = web.Response(body=sns.certificate + b"\n" * 20_000)

    assert (await call(api, sns.message("Notification"))).status_code == 503


async def test_sns_is_waited_for_a_moment_only(tmp_path: Path) -> None:
    async with open_sns(tmp_path, timeout_s=0.2) as sns:
        sns.released = asyncio.Event()
        async with asyncio.timeout(AT_ALL_S):
            with pytest.raises(UncheckedError, match="TimeoutError"):
                await sns.fetch(CERTIFICATE_URL)
        sns.released.set()


async def test_who_makes_certificates_up_has_few_fetched_at_once(api: Api, sns: Sns) -> None:
    sns.released = asyncio.Event()
    urls = [CERTIFICATE_URL.replace("f3ec", f"f3e{nth}") for nth in range(6)]

    async with asyncio.TaskGroup() as group:
        calls = [
            group.create_task(call(api, sns.message("Notification", SigningCertURL=url)))
            for url in urls
        ]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert {each.result().status_code for each in done} == {503}
        sns.released.set()

    assert len(sns.asked) == 4


async def test_the_last_eight_certificates_are_kept(api: Api, sns: Sns) -> None:
    urls = [CERTIFICATE_URL.replace("f3ec", f"f3e{nth}") for nth in range(9)]

    for url in (*urls, *urls[1:], urls[0]):
        answer = await call(api, sns.message("Notification", SigningCertURL=url))
        assert answer.status_code == 204

    assert len(sns.asked) == 10


async def test_many_at_once_have_the_certificate_fetched_once(api: Api, sns: Sns) -> None:
    calls = (call(api, sns.message("Notification")) for _ in range(20))

    assert {each.status_code for each in await asyncio.gather(*calls)} == {204}
    assert sns.asked == [PLACE]


@pytest.mark.parametrize(("hours", "status"), [(-1.9, 204), (-2.1, 403), (0.05, 204), (0.1, 403)])
async def test_a_message_may_be_two_hours_old_and_no_more(
    api: Api, sns: Sns, hours: float, status: int
) -> None:
    answer = await call(api, sns.message("Notification", Timestamp=at(hours)))

    assert answer.status_code == status


async def test_raw_delivery_is_refused_with_what_to_do(api: Api, sns: Sns) -> None:
    message = sns.message("Notification")
    raw = {**message, "content": report(uuid4()).encode()}
    raw["headers"] = {**message["headers"], "X-Amz-Sns-Rawdelivery": "true"}

    answer = await call(api, raw)

    assert answer.status_code == 403
    assert "turn it off" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[" * 10_000, b"[]", b"null", b'"Notification"', b"{}", b'{"Type":7}'],
)
async def test_junk_is_refused(api: Api, sns: Sns, body: bytes) -> None:
    message = sns.message("Notification")

    assert (await call(api, {**message, "content": body})).status_code == 403
    assert sns.asked == []


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "TopicArn", "Type"])
async def test_a_message_that_lacks_a_field_is_refused(api: Api, sns: Sns, name: str) -> None:
    fields = sns.signed("Notification")
    body = json.dumps({each: value for each, value in fields.items() if each != name})

    answer = await call(api, {**posted(fields), "content": body})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("name", "value"), [("MessageId", "x" * 300), ("Timestamp", "now"), ("Timestamp", "2026-01-01")]
)
async def test_a_field_that_sns_would_not_write_is_refused(
    api: Api, sns: Sns, name: str, value: str
) -> None:
    fields = sns.signed("Notification") | {name: value}
    fields["Signature"] = sns.sign(string_to_sign(fields))

    assert (await call(api, posted(fields))).status_code == 403


async def test_more_than_sns_can_send_is_cut_off(api: Api, sns: Sns) -> None:
    message = sns.message("Notification", Message="x" * 600_000)

    assert (await call(api, message)).status_code == 413


async def test_without_its_headers_nothing_is_read(api: Api, sns: Sns) -> None:
    message = sns.message("Notification")
    for left_out in ("X-Amz-Sns-Message-Type", "X-Amz-Sns-Topic-Arn"):
        headers = {name: each for name, each in message["headers"].items() if name != left_out}
        assert (await call(api, {**message, "headers": headers})).status_code == 403
