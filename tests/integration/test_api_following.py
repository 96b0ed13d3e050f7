"""Following, cancelling and replaying notifications over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api import PREFIX, SMS, Api, serving


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def listed(api: Api, query: str) -> list[str]:
    answer = await api.client.get(f"{PREFIX}?{query}")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


def same_but_for_its_instance(one: httpx2.Response, other: httpx2.Response) -> bool:
    bodies = [{**each.json(), "instance": None} for each in (one, other)]
    return one.status_code == other.status_code and bodies[0] == bodies[1]


async def test_the_status_tells_the_attempts_the_error_and_the_history(api: Api) -> None:
    id = await api.send()
    await api.fail(id)

    for path in (f"{PREFIX}/{id}/status", f"/notifications/{id}/status"):
        shown = (await api.client.get(path)).json()
        assert shown["status"] == "failed"
        assert shown["attempts"] == 1
        assert shown["due_at"] is None
        assert shown["error"] == {
            "kind": "permanent",
            "code": "550",
            "message": "no such mailbox",
        }
        assert [each["event"] for each in shown["history"]] == ["accept", "claim", "fail"]
        assert shown["history"][-1]["error"]["code"] == "550"


async def test_an_unknown_id_is_not_found(api: Api) -> None:
    for path in (f"{PREFIX}/{uuid4()}", f"{PREFIX}/{uuid4()}/status", f"{PREFIX}/42"):
        answer = await api.client.get(path)
        assert answer.status_code == 404
        assert answer.json()["code"] == "not-found"


async def test_another_services_notification_looks_like_one_that_does_not_exist(api: Api) -> None:
    id = await api.send()
    headers = await api.headers("payments", "send", "read")

    for method, path in (
        ("GET", ""),
        ("GET", "/status"),
        ("POST", "/cancel"),
        ("POST", "/replay"),
    ):
        foreign = await api.client.request(method, f"{PREFIX}/{id}{path}", headers=headers)
        unknown = await api.client.request(method, f"{PREFIX}/{uuid4()}{path}", headers=headers)
        assert foreign.status_code == 404
        assert same_but_for_its_instance(foreign, unknown)
    assert (await api.client.get(f"{PREFIX}/{id}")).json()["status"] == "pending"


async def test_an_admin_sees_and_changes_what_is_every_services(api: Api) -> None:
    id = await api.send()
    headers = await api.headers("operators", "admin")

    assert (await api.client.get(f"{PREFIX}/{id}", headers=headers)).status_code == 200
    assert (await api.client.get(PREFIX, headers=headers)).json()["items"][0]["id"] == str(id)
    answer = await api.client.post(f"{PREFIX}/{id}/cancel", headers=headers)
    assert answer.status_code == 200


async def test_an_admin_may_ask_for_one_service(api: Api) -> None:
    await api.send()
    admin = await api.headers("operators", "admin")
    other = await api.headers("payments", "read")

    async def of(service: str, headers: Mapping[str, str]) -> tuple[int, int]:
        answer = await api.client.get(PREFIX, params={"service": service}, headers=headers)
        return answer.status_code, len(answer.json().get("items", []))

    assert await of("orders", admin) == (200, 1)
    assert await of("payments", admin) == (200, 0)
    assert await of("payments", other) == (200, 0)
    assert await of("orders", other) == (403, 0)


async def test_the_plus_of_an_offset_may_stand_as_it_is(api: Api) -> None:
    await api.send()

    for offset in ("+01:00", "%2B01:00"):
        first, last = f"2020-01-01T00:00:00{offset}", f"2999-01-01T00:00:00.5{offset}"
        assert len(await listed(api, f"created_from={first}&created_before={last}")) == 1


async def test_pages_follow_one_another_without_gap_or_overlap(api: Api) -> None:
    ids = [str(await api.send()) for _ in range(7)]

    seen: list[str] = []
    path: str | None = f"{PREFIX}?limit=3&type=email"
    while path:
        page = (await api.client.get(path)).json()
        seen += [each["id"] for each in page["items"]]
        path = page["next"]

    assert seen == ids[::-1]


async def test_filters_narrow_the_list(api: Api) -> None:
    mail = str(await api.send(metadata={"order_id": "42", "shop": "a"}))
    other = str(await api.send(recipient="bob@example.com", metadata={"order_id": "43"}))
    sms = str(await api.send(**{**SMS, "subject": None}))
    await api.fail(UUID(mail))

    assert await listed(api, "status=failed") == [mail]
    assert await listed(api, "status=failed,pending&status=sent") == [sms, other, mail]
    assert await listed(api, "type=sms") == [sms]
    assert await listed(api, "type=email&status=pending") == [other]
    assert await listed(api, "recipient=bob@EXAMPLE.com") == [other]
    assert await listed(api, "recipient=%2B491701234567") == [sms]
    assert await listed(api, "metadata.order_id=42") == [mail]
    assert await listed(api, "metadata[order_id]=43") == [other]
    assert await listed(api, "metadata.order_id=42&metadata.shop=b") == []


async def test_a_span_of_time_narrows_the_list(api: Api) -> None:
    id = str(await api.send())
    now = datetime.now(UTC)
    earlier, later = ((now + timedelta(hours=h)).isoformat() for h in (-1, 1))

    async def between(start: str, end: str) -> list[str]:
        params = {"created_from": start, "created_before": end}
        answer = await api.client.get(PREFIX, params=params)
        return [each["id"] for each in answer.json()["items"]]

    assert await between(earlier, later) == [id]
    assert await between(later, later) == []
    assert await between(earlier, earlier) == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=1_0", "limit"),
        ("after=x", "after"),
        ("status=gone", "status.0"),
        ("type=push", "type.0"),
        ("created_from=2026-01-01", "created_from"),
        ("order_id=42", "order_id"),
        ("metadata=42", "metadata"),
        ("metadata.=42", "metadata."),
        ("metadata.a%00b=1", "metadata.a%00b"),
        ("recipient=a%00b", "recipient"),
        ("recipient=", "recipient"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Api, query: str, parameter: str) -> None:
    answer = await api.client.get(f"{PREFIX}?{query}")

    assert answer.status_code == 422
    named = [each["parameter"] for each in answer.json()["errors"]]
    assert parameter.replace("%00", "\0") in named


async def test_a_pending_notification_is_cancelled_once(api: Api) -> None:
    id = await api.send()

    first = await api.client.post(f"{PREFIX}/{id}/cancel")
    assert first.status_code == 200
    assert first.json() == {"id": str(id), "status": "cancelled"}

    again = await api.client.post(f"{PREFIX}/{id}/cancel")
    assert again.status_code == 409
    assert again.json()["code"] == "wrong-state"
    assert again.json()["notification_status"] == "cancelled"
    assert "cancelled" in again.json()["detail"]


async def test_a_cancellation_with_a_key_is_answered_again(api: Api) -> None:
    id = await api.send()
    headers = {"Idempotency-Key": "k"}

    first = await api.client.post(f"{PREFIX}/{id}/cancel", headers=headers)
    again = await api.client.post(f"{PREFIX}/{id}/cancel", headers=headers)
    other = await api.client.post(f"{PREFIX}/{await api.send()}/cancel", headers=headers)

    assert again.status_code == first.status_code == 200
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert other.json()["code"] == "idempotency-key-reused"


async def test_a_failed_notification_is_replayed(api: Api) -> None:
    id = await api.send()
    assert (await api.client.post(f"{PREFIX}/{id}/replay")).status_code == 409
    await api.fail(id)

    answer = await api.client.post(f"{PREFIX}/{id}/replay", json={})

    assert answer.status_code == 202
    shown = (await api.client.get(answer.headers["location"])).json()
    assert shown["status"] == "pending"
    assert shown["timeline"][-1]["event"] == "replay"


async def test_what_failed_for_somebody_erased_is_not_replayed_and_told_why(api: Api) -> None:
    id = await api.send(sensitive=True)
    await api.fail(id)

    answer = await api.client.post(f"{PREFIX}/{id}/replay", headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong-state")
    assert answer.json()["detail"] == "What it said is erased: there is nothing to send again."
    assert answer.json()["notification_status"] == "failed"
    assert (await api.client.get(f"{PREFIX}/{id}")).json()["status"] == "failed"


async def test_of_many_cancellations_at_once_one_wins(api: Api) -> None:
    id = await api.send()

    answers = await asyncio.gather(*(api.client.post(f"{PREFIX}/{id}/cancel") for _ in range(10)))

    assert sorted(each.status_code for each in answers) == [200] + [409] * 9


async def test_a_body_where_none_is_taken_is_refused(api: Api) -> None:
    id = await api.send()

    answer = await api.client.post(f"{PREFIX}/{id}/cancel", json={"force": True})

    assert answer.status_code == 422
