"""What providers report: signatures, and how far a report may move a notification."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx2
import pytest
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # untyped
from uuid_utils import compat

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.channels.email.sendgrid.receipts import event_route
from notifier.clock import SystemClock
from notifier.delivery.ports import Claimed, Finish
from notifier.errors import SettingsError, UncheckedError
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.notification.outcomes import Fault
from notifier.notification.transitions import RETRY, SUCCEED, Transition
from notifier.providers.receipt import Callback, Receipt
from tests.api import MAIL, PEPPER, PREFIX, SMS, Api, client_of, serving
from tests.callbacks import (
    AUTH_TOKEN,
    BASE_URL,
    FORM,
    SendGridSigner,
    message_form,
    signed_form,
    signed_message,
    status_form,
    twilio_routes,
    twilio_signature,
)
from tests.patience import AT_ALL_S

SIGNER = SendGridSigner()
UNKNOWN = Fault(kind="unknown", code="timeout", message="no answer")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(
        tmp_path,
        callbacks=lambda clock: [*twilio_routes(), *SIGNER.routes(clock)],
        callback_patience_s=0.2,
    ) as it:
        yield it


async def claim(api: Api, id: UUID, channel: Channel = Channel.SMS, attempt: int = 0) -> Claimed:
    envelope = Envelope(id=id, channel=channel, lane=Lane.NORMAL, attempt=attempt)
    claimed = await api.stores.leases.claim(
        envelope, lease_token=uuid4(), lease_s=60, leased_by="test"
    )
    assert isinstance(claimed, Claimed)
    return claimed


async def finish(api: Api, claimed: Claimed, transition: Transition = SUCCEED) -> None:
    is_sent = transition is SUCCEED
    assert await api.stores.leases.finish(
        Finish(
            id=claimed.id,
            lease_token=claimed.lease_token,
            attempt=claimed.attempt,
            transition=transition,
            provider="twilio" if claimed.channel is Channel.SMS else "sendgrid",
            fault=None if is_sent else UNKNOWN,
            delay_s=None if is_sent else 60,
            outcome_unknown=not is_sent,
        )
    )


async def ended(api: Api, transition: Transition, channel: Channel = Channel.SMS) -> UUID:
    answer = await api.client.post(f"{PREFIX}/send", json=SMS if channel is Channel.SMS else MAIL)
    id = UUID(answer.json()["id"])
    await finish(api, await claim(api, id, channel), transition)
    return id


async def call_back(api: Api, id: UUID, status: str, **more: str) -> httpx2.Response:
    async with client_of(api.app) as twilio:
        path = f"/callbacks/twilio/{id}"
        return await twilio.post(path, **signed_form(id, status_form(status, **more)))


async def report(api: Api, events: object, late_s: int = 0) -> httpx2.Response:
    now = int(api.clock.now().timestamp())
    async with client_of(api.app) as sendgrid:
        return await sendgrid.post("/callbacks/sendgrid", **SIGNER.signed(events, now - late_s))


def event(id: UUID, kind: str = "delivered", **more: object) -> dict[str, object]:
    return {
        "event": kind,
        "email": "anna@example.com",
        "sg_event_id": uuid4().hex,
        "notification_id": str(id),
        **more,
    }


async def standing(api: Api, id: UUID) -> dict[str, object]:
    found: dict[str, object] = (await api.client.get(f"{PREFIX}/{id}")).json()
    return found


async def status_of(api: Api, id: UUID) -> object:
    return (await standing(api, id))["status"]


async def test_a_signed_status_is_applied_and_a_replay_changes_nothing(api: Api) -> None:
    id = await ended(api, SUCCEED)

    answers = [await call_back(api, id, "delivered") for _ in range(2)]

    assert [each.status_code for each in answers] == [204, 204]
    shown = await standing(api, id)
    assert shown["status"] == "delivered"
    timeline = (await api.client.get(f"{PREFIX}/{id}/status")).json()["history"]
    assert [each["event"] for each in timeline] == ["accept", "claim", "succeed", "deliver"]


def test_the_test_signs_as_the_sdk_does() -> None:
    form = status_form("sent")

    expected = RequestValidator(AUTH_TOKEN).compute_signature(f"{BASE_URL}/1", form)

    assert twilio_signature(f"{BASE_URL}/1", form) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://notify.example.com/callbacks/twilio/{id}",
        "https://notifier/callbacks/twilio/{id}",
        "https://notify.example.com:8443/callbacks/twilio/{id}",
        "https://notify.example.com/callbacks/twilio/{id}/",
        "https://notify.example.com/callbacks/twilio/{other}",
    ],
)
async def test_a_signature_over_another_url_is_refused(api: Api, url: str) -> None:
    id = await ended(api, SUCCEED)
    form = status_form("delivered")
    signature = twilio_signature(url.format(id=id, other=compat.uuid7()), form)

    answer = await api.client.post(
        f"/callbacks/twilio/{id}",
        content=urlencode(form),
        headers={**FORM, "X-Twilio-Signature": signature},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "bad-signature")
    assert await status_of(api, id) == "sent"


async def test_the_port_of_the_scheme_may_be_told_or_not(api: Api) -> None:
    id = await ended(api, SUCCEED)
    form = status_form("delivered")
    signature = twilio_signature(f"https://notify.example.com:443/callbacks/twilio/{id}", form)

    answer = await api.client.post(
        f"/callbacks/twilio/{id}",
        content=urlencode(form),
        headers={**FORM, "X-Twilio-Signature": signature},
    )

    assert answer.status_code == 204


@pytest.mark.parametrize(
    "altered",
    [
        {"MessageStatus": "failed"},
        {"To": "+491701234568"},
        {"Added": "field"},
        {"EmptyOne": "no more"},
    ],
)
async def test_an_altered_field_is_refused(api: Api, altered: dict[str, str]) -> None:
    id = await ended(api, SUCCEED)
    form = status_form("delivered")
    call = signed_form(id, form)
    call["content"] = urlencode({**form, **altered})

    assert (await api.client.post(f"/callbacks/twilio/{id}", **call)).status_code == 403
    assert await status_of(api, id) == "sent"


@pytest.mark.parametrize("signature", [None, "", "nonsense", "\xe4"])
async def test_without_a_signature_nothing_is_read(api: Api, signature: str | None) -> None:
    headers = dict(FORM) if signature is None else {**FORM, "X-Twilio-Signature": signature}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    for content in ("MessageStatus=delivered", "", "%ff&&=", "a=1" + "&a=1" * 500):
        path = f"/callbacks/twilio/{compat.uuid7()}"
        answer = await api.client.post(path, content=content, headers=encoded)
        assert answer.status_code == 403


async def test_the_caller_and_the_log_are_told_why_it_is_refused(api: Api) -> None:
    id = await ended(api, SUCCEED)
    call = signed_form(id, status_form("delivered"))
    call["content"] += "&Body=more"

    with capture_logs() as logs:
        answer = await api.client.post(f"/callbacks/twilio/{id}", **call)

    reason = "the form is not signed for its URL and all of its fields"
    assert reason in answer.json()["detail"]
    assert [each["reason"] for each in logs if each["event"] == "callback.refused"] == [reason]


async def test_what_cannot_be_checked_now_is_asked_for_again(tmp_path: Path) -> None:
    async def read(_callback: Callback) -> Sequence[Receipt]:
        raise UncheckedError("nobody answers")

    route = replace(SIGNER.routes(SystemClock())[0], read=read, check=lambda _headers: None)
    async with serving(tmp_path, callbacks=lambda _clock: [route]) as api:
        with capture_logs() as logs:
            answer = await api.client.post("/callbacks/sendgrid", json=[])

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert [each["reason"] for each in logs if each["event"] == "callback.unchecked"] == [
        "nobody answers"
    ]


async def test_a_form_of_very_many_fields_is_refused_whoever_signed_it(api: Api) -> None:
    id = await ended(api, SUCCEED)
    fields = {str(number): "" for number in range(200)}

    call = signed_form(id, {**status_form("delivered"), **fields})

    assert (await api.client.post(f"/callbacks/twilio/{id}", **call)).status_code == 403
    assert await status_of(api, id) == "sent"


async def test_a_flood_of_a_form_is_cut_off(api: Api) -> None:
    path = f"/callbacks/twilio/{compat.uuid7()}"
    headers = {**FORM, "X-Twilio-Signature": base64.b64encode(bytes(20)).decode()}

    assert (await api.client.post(path, content="a" * 70_000, headers=headers)).status_code == 413


@pytest.mark.parametrize("signature", ["", "no base64!", "c2hvcnQ=", "A" * 4_000])
async def test_what_can_be_no_signature_is_refused_before_the_body(
    api: Api, signature: str
) -> None:
    twilio = {"X-Twilio-Signature": signature}
    sendgrid = {
        "X-Twilio-Email-Event-Webhook-Signature": signature if signature != "c2hvcnQ=" else "",
        "X-Twilio-Email-Event-Webhook-Timestamp": str(int(api.clock.now().timestamp())),
    }
    async with client_of(api.app) as anyone, asyncio.timeout(AT_ALL_S):
        for path, headers in (
            (f"/callbacks/twilio/{compat.uuid7()}", {**FORM, **twilio}),
            ("/callbacks/sendgrid", sendgrid),
        ):
            answer = await anyone.post(path, content=_never(), headers=headers)
            assert answer.status_code == 403


async def test_a_stale_timestamp_is_refused_before_the_body(api: Api) -> None:
    signed = SIGNER.signed([], int(api.clock.now().timestamp()) - 400)
    async with client_of(api.app) as anyone, asyncio.timeout(AT_ALL_S):
        headers = signed["headers"]
        answer = await anyone.post("/callbacks/sendgrid", content=_never(), headers=headers)
        assert answer.status_code == 403


async def test_bodies_that_never_come_take_no_places_of_sends(tmp_path: Path) -> None:
    settings = {"max_concurrent_requests": 2, "max_concurrent_callbacks": 4}
    async with serving(
        tmp_path, callbacks=SIGNER.routes, callback_timeout_s=0.5, **settings
    ) as api:
        headers = SIGNER.signed([], int(api.clock.now().timestamp()))["headers"]
        async with client_of(api.app) as anyone:
            waiting = [
                asyncio.create_task(
                    anyone.post("/callbacks/sendgrid", content=_never(), headers=headers)
                )
                for _ in range(6)
            ]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            await api.send()
            statuses = sorted(each.status_code for each in await asyncio.gather(*waiting))
    assert statuses == [408, 408, 503, 503, 503, 503]


async def _never() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.Event().wait()


async def test_what_twilio_reports_of_others_is_taken_without_effect(api: Api) -> None:
    assert (await call_back(api, compat.uuid7(), "delivered")).status_code == 204
    assert (await call_back(api, await ended(api, SUCCEED), "receiving")).status_code == 204


async def test_a_status_only_moves_forward(api: Api) -> None:
    id = await ended(api, SUCCEED)

    for status in ("delivered", "sent", "queued"):
        assert (await call_back(api, id, status)).status_code == 204

    assert await status_of(api, id) == "delivered"


@pytest.mark.parametrize(
    ("told", "status"), [("sent", "sent"), ("delivered", "delivered"), ("failed", "bounced")]
)
async def test_a_callback_settles_an_unknown_outcome(api: Api, told: str, status: str) -> None:
    id = await ended(api, RETRY)
    assert (await standing(api, id))["outcome_unknown"] is True
    assert await status_of(api, id) == "pending"

    await call_back(api, id, told)

    assert await status_of(api, id) == status
    assert (await api.client.get("/api/v1/account")).json()["balanced"]
    # Nobody sends again what arrived.
    assert await api.stores.upkeep.take_due(10, hold_s=60) == []


async def test_a_callback_never_revives_what_failed_for_good(api: Api) -> None:
    id = await api.send()
    await api.fail(id)

    await report(api, [event(id)])

    assert await status_of(api, id) == "failed"


async def test_stop_suppresses_the_number(api: Api) -> None:
    await call_back(api, await ended(api, SUCCEED), "undelivered", ErrorCode="21610")

    (entry,) = (await api.client.get("/api/v1/suppressions")).json()["items"]
    assert (entry["type"], entry["recipient"]) == ("sms", SMS["recipient"])
    assert entry["reason"] == "unsubscribed"
    again = (await api.client.post(f"{PREFIX}/send", json=SMS)).json()["id"]
    assert await status_of(api, UUID(again)) == "suppressed"


async def reasons(api: Api) -> list[str]:
    items = (await api.client.get("/api/v1/suppressions")).json()["items"]
    return [each["reason"] for each in items]


async def test_stop_and_then_start_leaves_the_number_as_it_was(api: Api) -> None:
    id = await ended(api, SUCCEED)
    await call_back(api, id, "undelivered", ErrorCode="21610")
    assert await reasons(api) == ["unsubscribed"]

    call = signed_message(message_form("START", From=SMS["recipient"]))
    answers = [await api.client.post("/callbacks/twilio", **call) for _ in range(2)]

    assert [each.status_code for each in answers] == [204, 204]
    assert await reasons(api) == []
    history = (await api.client.get(f"{PREFIX}/{id}/status")).json()["history"]
    assert history[-1]["event"] == "unsuppress"


async def test_a_start_that_twilio_did_not_sign_lifts_nothing(api: Api) -> None:
    id = await ended(api, SUCCEED)
    await call_back(api, id, "undelivered", ErrorCode="21610")
    form = message_form("START", From=SMS["recipient"])

    for call in (signed_form(id, form), {"content": urlencode(form), "headers": FORM}):
        assert (await api.client.post("/callbacks/twilio", **call)).status_code == 403

    assert await reasons(api) == ["unsubscribed"]


async def test_who_resubscribes_is_sent_to_again(api: Api) -> None:
    id = await ended(api, SUCCEED, Channel.EMAIL)
    now = int(api.clock.now().timestamp())
    await report(api, [event(id, "group_unsubscribe", timestamp=now - 60)])
    assert await reasons(api) == ["unsubscribed"]

    await report(api, [event(id, "group_resubscribe", timestamp=now - 30)])

    assert await reasons(api) == []


async def test_a_callback_during_an_attempt_waits_for_its_end(api: Api) -> None:
    id = UUID((await api.client.post(f"{PREFIX}/send", json=SMS)).json()["id"])
    claimed = await claim(api, id)

    async with asyncio.TaskGroup() as group:
        calling = group.create_task(call_back(api, id, "delivered"))
        group.create_task(finish(api, claimed))

    assert calling.result().status_code == 204
    assert await status_of(api, id) == "delivered"


async def test_a_callback_during_a_long_attempt_is_asked_for_again(api: Api) -> None:
    id = UUID((await api.client.post(f"{PREFIX}/send", json=SMS)).json()["id"])
    claimed = await claim(api, id)

    refused = await call_back(api, id, "delivered")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    await finish(api, claimed)

    assert (await call_back(api, id, "delivered")).status_code == 204
    assert await status_of(api, id) == "delivered"


async def test_of_128_events_with_one_twice_127_are_applied(api: Api) -> None:
    ids = [await ended(api, SUCCEED, Channel.EMAIL) for _ in range(3)]
    events = [event(compat.uuid7()) for _ in range(124)] + [event(each) for each in ids]
    with capture_logs() as logs:
        answer = await report(api, [*events, events[-1]])

    assert answer.status_code == 204
    assert [await status_of(api, each) for each in ids] == ["delivered"] * 3
    (taken,) = [each for each in logs if each["event"] == "callback.taken"]
    assert (taken["receipts"], taken["changed"]) == (128, 3)
    assert "anna" not in repr(logs)
    history = (await api.client.get(f"{PREFIX}/{ids[-1]}/status")).json()["history"]
    assert [each["event"] for each in history].count("deliver") == 1


async def test_127_of_128_notifications_are_delivered_by_one_call(api: Api) -> None:
    batch = {"notifications": [MAIL] * 127}
    items = (await api.client.post(f"{PREFIX}/batch", json=batch)).json()["items"]
    claims = [claim(api, UUID(each["id"]), Channel.EMAIL) for each in items]
    await asyncio.gather(*(finish(api, each) for each in await asyncio.gather(*claims)))
    events = [event(UUID(each["id"])) for each in items]

    await report(api, [*events, events[0]])

    account = (await api.client.get("/api/v1/account")).json()
    assert account["by_status"]["delivered"] == 127
    assert account["balanced"]


async def test_a_bounce_suppresses_and_a_block_does_not(api: Api) -> None:
    blocked = await ended(api, SUCCEED, Channel.EMAIL)
    await report(api, [event(blocked, "bounce", type="blocked")])
    assert (await api.client.get("/api/v1/suppressions")).json()["items"] == []

    bounced = await ended(api, SUCCEED, Channel.EMAIL)
    await report(api, [event(bounced, "bounce", type="bounce", status="5.1.1")])

    assert [await status_of(api, each) for each in (blocked, bounced)] == ["bounced"] * 2
    (entry,) = (await api.client.get("/api/v1/suppressions")).json()["items"]
    assert (entry["reason"], entry["notification_id"]) == ("hard_bounce", str(bounced))


async def test_the_signature_is_over_the_bytes_as_they_came(api: Api) -> None:
    id = await ended(api, SUCCEED, Channel.EMAIL)
    call = SIGNER.signed([event(id)], int(api.clock.now().timestamp()))
    body: bytes = call["content"]
    other = {**call["headers"]}
    raw = bytearray(base64.b64decode(other["X-Twilio-Email-Event-Webhook-Signature"]))
    raw[-1] ^= 1
    other["X-Twilio-Email-Event-Webhook-Signature"] = base64.b64encode(raw).decode()
    unsigned = {"Content-Type": "application/json"}

    answers = [
        await api.client.post("/callbacks/sendgrid", content=content, headers=headers)
        for content, headers in (
            (body.replace(b"\n ", b""), call["headers"]),
            (body[:-1] + bytes([body[-1] ^ 1]), call["headers"]),
            (body, other),
            (body, unsigned),
            (b"\xff not even JSON", call["headers"]),
        )
    ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(403, "bad-signature")}
    assert await status_of(api, id) == "sent"
    assert (await api.client.post("/callbacks/sendgrid", **call)).status_code == 204


@pytest.mark.parametrize(
    ("late_s", "status"), [(290, 204), (-290, 204), (310, 403), (-310, 403), (-(10**13), 403)]
)
async def test_a_timestamp_may_be_300_seconds_off(api: Api, late_s: int, status: int) -> None:
    assert (await report(api, [], late_s)).status_code == status


async def test_a_signed_body_that_is_no_json_is_told(api: Api) -> None:
    call = SIGNER.signed_bytes(b"[{", int(api.clock.now().timestamp()))

    answer = await api.client.post("/callbacks/sendgrid", **call)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")


async def test_callbacks_are_there_only_where_they_can_be_checked(api: Api) -> None:
    async with client_of(create_app(api.services, ApiConfig(pepper=PEPPER))) as client:
        for path in (f"/callbacks/twilio/{compat.uuid7()}", "/callbacks/sendgrid"):
            assert (await client.post(path)).status_code == 404


@pytest.mark.parametrize("key", ["no base64!", base64.b64encode(b"no key").decode()])
def test_a_wrong_verification_key_is_told_at_the_start(key: str) -> None:
    with pytest.raises(SettingsError, match="NOTIFIER_SENDGRID__WEBHOOK_PUBLIC_KEY"):
        event_route(key, SystemClock())
