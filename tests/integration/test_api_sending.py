"""Sending over HTTP, down to what is stored and queued."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from notifier.delivery.ports import Claimed
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from tests.api import MAIL, PREFIX, SMS, Api, serving

SEND = f"{PREFIX}/send"
BATCH = f"{PREFIX}/batch"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def accepted(api: Api) -> int:
    account = (await api.client.get("/api/v1/account")).json()
    assert account["balanced"]
    count: int = account["accepted"]
    return count


async def depth(api: Api, name: str) -> int:
    return {each.name: each.ready for each in await api.queue.depths()}[name]


async def send(api: Api, body: Mapping[str, Any], **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.client.post(SEND, json=body, headers=named)


def pointers(answer: httpx2.Response) -> set[str]:
    return {each["pointer"] for each in answer.json()["errors"]}


async def test_a_notification_is_stored_and_its_location_leads_to_it(api: Api) -> None:
    answer = await send(api, {**MAIL, "priority": "high", "metadata": {"order_id": "42"}})

    assert answer.status_code == 202
    assert answer.json()["status"] == "pending"
    assert answer.json()["type"] == "email"
    shown = (await api.client.get(answer.headers["location"])).json()
    assert shown["id"] == answer.json()["id"]
    assert shown["content"] == MAIL["content"]
    assert shown["service"] == "orders"
    assert shown["metadata"] == {"order_id": "42"}
    assert [each["event"] for each in shown["timeline"]] == ["accept"]


async def test_a_notification_is_queued_in_its_channel_and_lane(api: Api) -> None:
    await send(api, {**MAIL, "priority": "bulk"})
    await api.send(priority="normal")

    await api.publisher.drain(5)
    assert await depth(api, "email_notifications.bulk") == 1
    assert await depth(api, "email_notifications") == 1
    assert await depth(api, "email_notifications.high") == 0


async def test_a_later_sending_is_stored_with_its_time_and_not_queued(api: Api) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)

    id = await api.send(send_at=later.isoformat())

    await api.publisher.drain(5)
    shown = (await api.client.get(f"{PREFIX}/{id}/status")).json()
    assert datetime.fromisoformat(shown["due_at"]) == later
    assert await depth(api, "email_notifications") == 0


async def test_an_invalid_notification_is_refused_with_all_that_is_wrong(api: Api) -> None:
    answer = await send(api, {"type": "sms", "recipient": "x", "content": "{{ a }}", "id": 1})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid"
    assert pointers(answer) == {"/recipient", "/content", "/id"}
    assert await accepted(api) == 0


async def test_what_is_literal_or_sanitised_is_shown_as_it_will_be_sent(api: Api) -> None:
    braces = {"subject": "{{ a }}", "content": "{% b %}", "html": "<p>{# c #}</p>"}
    literal = await send(api, {**MAIL, **braces, "literal": True})
    html = {"html": "<p onclick=a()>{{ name }}</p>", "variables": {"name": "Bo"}}
    cleaned = await send(api, {**MAIL, **html, "content": None, "sanitise": True})

    shown = (await api.client.get(literal.headers["location"])).json()
    assert {name: shown[name] for name in braces} == braces
    assert shown["literal"] is True
    shown = (await api.client.get(cleaned.headers["location"])).json()
    assert (shown["html"], shown["content"]) == ("<p>Bo</p>", "Bo")
    refused = await send(api, {**MAIL, **braces})
    assert pointers(refused) == {"/subject", "/content", "/html"}


async def test_the_size_of_an_sms_is_told_wherever_it_is_shown(api: Api) -> None:
    sms = {"type": "sms", "recipient": "+491701234567", "content": "\u0436" * 71}
    size = {"segments": 2, "encoding": "ucs2"}
    accepted = await send(api, sms)
    batch = await api.client.post(BATCH, json={"notifications": [sms, MAIL]})
    where = accepted.headers["location"]
    shown = [
        accepted.json(),
        batch.json()["items"][0],
        (await api.client.get(where)).json(),
        (await api.client.get(f"{where}/status")).json(),
        (await api.client.get(PREFIX, params={"type": "sms"})).json()["items"][0],
    ]

    assert [{name: each[name] for name in size} for each in shown] == [size] * 5
    assert batch.json()["items"][1]["segments"] is None
    refused = await send(api, {**sms, "content": "\u0436" * 671})
    assert "(U+0436) cannot be in gsm7" in refused.json()["errors"][0]["detail"]


async def test_the_trace_of_the_request_goes_on_with_the_notification(api: Api) -> None:
    trace = f"00-{'ab' * 16}-{'cd' * 8}-01"

    answer = await send(api, MAIL, traceparent=trace)

    assert await claim(api, UUID(answer.json()["id"])) == trace


@pytest.mark.parametrize(
    "broken", ["", "x", f"00-{'0' * 32}-{'cd' * 8}-01", f"ff-{'ab' * 16}-{'cd' * 8}-01"]
)
async def test_a_broken_trace_is_replaced_by_a_new_one(api: Api, broken: str) -> None:
    answer = await send(api, MAIL, traceparent=broken)

    trace = await claim(api, UUID(answer.json()["id"]))
    assert trace
    assert trace != broken
    assert len(trace) == 55


async def claim(api: Api, id: UUID) -> str | None:
    envelope = Envelope(id=id, channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)
    claimed = await api.stores.leases.claim(
        envelope, lease_token=uuid4(), lease_s=60, leased_by="test"
    )
    assert isinstance(claimed, Claimed)
    return claimed.traceparent


async def test_a_batch_answers_item_by_item_and_one_bad_item_spoils_no_other(api: Api) -> None:
    bad = {**SMS, "recipient": "nobody"}

    answer = await api.client.post(BATCH, json={"notifications": [MAIL, bad, SMS, 7]})

    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["rejected"]) == (2, 2)
    assert [each["status"] for each in body["items"]] == [
        "pending",
        "rejected",
        "pending",
        "rejected",
    ]
    assert body["items"][1]["errors"][0]["pointer"] == "/notifications/1/recipient"
    assert body["items"][3]["errors"][0]["pointer"] == "/notifications/3"
    types = [
        (await api.client.get(f"{PREFIX}/{body['items'][n]['id']}")).json()["type"] for n in (0, 2)
    ]
    assert types == ["email", "sms"]
    assert await accepted(api) == 2


async def test_a_batch_without_a_good_item_is_refused_with_every_answer(api: Api) -> None:
    answer = await api.client.post(BATCH, json={"notifications": [{}, {**MAIL, "x": 1}]})

    assert answer.status_code == 422
    assert [each["status"] for each in answer.json()["items"]] == ["rejected", "rejected"]
    assert "/notifications/1/x" in pointers(answer)
    assert await accepted(api) == 0


async def test_a_batch_of_a_thousand_is_taken_and_one_more_is_not(api: Api) -> None:
    answer = await api.client.post(BATCH, json={"notifications": [MAIL] * 1_000})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1_000
    assert len({each["id"] for each in answer.json()["items"]}) == 1_000

    answer = await api.client.post(BATCH, json={"notifications": [MAIL] * 1_001})
    assert answer.status_code == 422
    assert pointers(answer) == {"/notifications"}
    assert await accepted(api) == 1_000


@pytest.mark.parametrize(
    "body",
    [{}, {"notifications": []}, {"notifications": {}}, [], {"notifications": [MAIL], "x": 1}],
)
async def test_what_is_no_batch_is_refused(api: Api, body: object) -> None:
    assert (await api.client.post(BATCH, json=body)).status_code == 422


async def test_the_same_request_with_the_same_key_gets_the_same_answer_once(api: Api) -> None:
    first = await send(api, MAIL, Idempotency_Key="order-42")
    again = await send(api, MAIL, Idempotency_Key='"order-42"')

    assert again.status_code == first.status_code == 202
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await accepted(api) == 1


async def test_fifty_at_once_with_the_same_key_are_one(api: Api) -> None:
    answers = await asyncio.gather(*(send(api, MAIL, Idempotency_Key="k") for _ in range(50)))

    assert {each.status_code for each in answers} == {202}
    assert len({each.content for each in answers}) == 1
    assert await accepted(api) == 1


async def test_another_request_with_the_same_key_is_refused(api: Api) -> None:
    await send(api, MAIL, Idempotency_Key="k")

    answer = await send(api, {**MAIL, "subject": "Another"}, Idempotency_Key="k")

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency-key-reused"
    assert await accepted(api) == 1


async def test_the_same_key_of_another_service_is_another_key(api: Api) -> None:
    await send(api, MAIL, Idempotency_Key="k")
    others = await api.headers("payments", "send")

    answer = await send(api, {**MAIL, "subject": "Another"}, Idempotency_Key="k", **others)

    assert answer.status_code == 202
    assert "idempotency-replayed" not in answer.headers


async def test_a_batch_with_bad_items_is_replayed_with_its_bad_items(api: Api) -> None:
    body = {"notifications": [MAIL, {}]}
    headers = {"Idempotency-Key": "k"}

    first = await api.client.post(BATCH, json=body, headers=headers)
    again = await api.client.post(BATCH, json=body, headers=headers)

    assert again.content == first.content
    assert again.json()["rejected"] == 1
    assert await accepted(api) == 1


async def test_a_refused_request_does_not_use_up_its_key(api: Api) -> None:
    assert (await send(api, {}, Idempotency_Key="k")).status_code == 422

    assert (await send(api, MAIL, Idempotency_Key="k")).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256, '""', "a\tb", "sch\xf6n"])
async def test_what_is_no_idempotency_key_is_refused(api: Api, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]

    answer = await api.client.post(SEND, json=MAIL, headers=headers)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_two_idempotency_keys_are_refused(api: Api) -> None:
    headers = [(b"Idempotency-Key", b"one"), (b"Idempotency-Key", b"two")]

    answer = await api.client.post(SEND, json=MAIL, headers=headers)

    assert answer.status_code == 422
    assert await accepted(api) == 0


async def test_the_fingerprint_in_the_database_does_not_give_the_content_away(
    api: Api, tmp_path: Path
) -> None:
    body = {**MAIL, "sensitive": True, "content": "Your code is 7F3A"}

    await send(api, body, Idempotency_Key="k")

    stored = (tmp_path / "notifier.db").read_bytes() + (tmp_path / "notifier.db-wal").read_bytes()
    assert stored.count(b"7F3A") == 1  # the notification itself


@pytest.mark.parametrize("channel", ["email", "sms"])
async def test_nothing_of_a_sensitive_notification_is_shown_even_while_it_waits(
    api: Api, channel: str
) -> None:
    canary = "OTP-7F3A"
    body = {
        **(MAIL if channel == "email" else SMS),
        "sensitive": True,
        "content": "{{ code }} " + canary,
        "variables": {"code": canary},
        "metadata": {"order_id": "1"},
    }
    if channel == "email":
        body |= {"subject": canary, "html": f"<b>{canary}</b>"}

    answer = await send(api, body)

    id = answer.json()["id"]
    for path in (f"{PREFIX}/{id}", f"{PREFIX}/{id}/status", PREFIX, "/api/v1/account"):
        assert canary not in (await api.client.get(path)).text
    shown = (await api.client.get(f"{PREFIX}/{id}")).json()
    assert shown["sensitive"]
    assert [shown[name] for name in ("subject", "content", "html", "variables")] == [None] * 4


async def test_a_repeated_request_is_answered_as_before_when_its_time_has_passed(
    api: Api,
) -> None:
    soon = api.clock.now() + timedelta(minutes=5)
    body = {**MAIL, "expires_at": soon.isoformat()}
    batch = {"notifications": [body, body]}
    first = await send(api, body, Idempotency_Key="k")
    many = await api.client.post(f"{PREFIX}/batch", json=batch, headers={"Idempotency-Key": "many"})
    api.clock.days_on = 1

    again = await send(api, body, Idempotency_Key="k")
    all_again = await api.client.post(
        f"{PREFIX}/batch", json=batch, headers={"Idempotency-Key": "many"}
    )
    other = await send(api, {**body, "subject": "Another"}, Idempotency_Key="k")
    new = await send(api, body, Idempotency_Key="new")
    bare = await send(api, body)

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert (all_again.status_code, all_again.json()) == (202, many.json())
    assert other.json()["code"] == "idempotency-key-reused"
    assert [each.json()["code"] for each in (new, bare)] == ["invalid"] * 2


@pytest.mark.parametrize("wish", ["resend", "hold"])
async def test_a_notification_may_say_what_an_unknown_outcome_means(api: Api, wish: str) -> None:
    id = await api.send(on_unknown=wish)
    plain = await api.send()

    assert (await api.client.get(f"{PREFIX}/{id}")).json()["on_unknown"] == wish
    assert (await api.client.get(f"{PREFIX}/{plain}")).json()["on_unknown"] is None
    page = (await api.client.get(PREFIX)).json()["items"]
    assert [each["on_unknown"] for each in page] == [None, wish]
    refused = await api.client.post(f"{PREFIX}/send", json={**MAIL, "on_unknown": "drop"})
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/on_unknown"]
