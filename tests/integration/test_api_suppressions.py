"""Suppression lists: whose they are, and that nothing is sent to what is on them."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from tests.api import MAIL, PREFIX, SMS, Api, client_of, serving

LIST = "/api/v1/suppressions"
ANNA = {"type": "email", "recipient": "anna@example.com"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def listed(api: Api, query: str = "", headers: dict[str, str] | None = None) -> list[str]:
    """Read a list two at a time."""
    seen: list[str] = []
    path: str | None = f"{LIST}?limit=2{query}"
    while path:
        page = (await api.client.get(path, headers=headers)).json()
        seen += [f"{each['service']} {each['type']} {each['recipient']}" for each in page["items"]]
        path = page["next"]
    return seen


async def test_what_is_sent_to_a_suppressed_address_is_never_queued(api: Api) -> None:
    added = await api.client.post(LIST, json={**ANNA, "recipient": "anna@EXAMPLE.com"})
    assert (added.status_code, added.json()) == (
        200,
        {"service": "orders", **ANNA, "category": None},
    )

    id = await api.send()
    batch = {"notifications": [MAIL, {**MAIL, "recipient": "ben@example.com"}]}
    items = (await api.client.post(f"{PREFIX}/batch", json=batch)).json()["items"]
    await api.publisher.drain(5)

    statuses = [
        (await api.client.get(f"{PREFIX}/{each}")).json()["status"]
        for each in (id, items[0]["id"], items[1]["id"])
    ]
    assert statuses == ["suppressed", "suppressed", "pending"]
    depths = {each.name: each.ready for each in await api.queue.depths()}
    assert sum(depths.values()) == 1


async def test_a_list_is_narrowed_to_an_address_and_to_a_reason(api: Api) -> None:
    for recipient, reason in (("ada@example.com", "manual"), ("ben@example.com", "hard_bounce")):
        body = {**ANNA, "recipient": recipient, "reason": reason}
        assert (await api.client.post(LIST, json=body)).status_code == 200

    assert await listed(api, "&recipient=ADA@example.com") == ["orders email ada@example.com"]
    assert await listed(api, "&reason=hard_bounce") == ["orders email ben@example.com"]
    assert (await api.client.get(f"{LIST}?reason=rain")).status_code == 422


async def test_an_entry_for_one_category_is_shown_and_taken_off_with_it(api: Api) -> None:
    news = {**ANNA, "category": "news"}
    for each in (ANNA, news, {**ANNA, "category": "offers"}):
        assert (await api.client.post(LIST, json=each)).status_code == 200
    assert len(await listed(api)) == 3

    assert (await api.client.delete(LIST, params=news)).status_code == 204
    assert (await api.client.delete(LIST, params=ANNA)).status_code == 204

    (left,) = (await api.client.get(LIST)).json()["items"]
    assert left["category"] == "offers"
    assert (await api.client.get(f"{PREFIX}/{await api.send()}")).json()["status"] == "pending"
    refused = await api.client.post(LIST, json={**ANNA, "category": "No Key"})
    assert refused.json()["errors"][0]["pointer"] == "/category"


async def test_off_the_list_it_is_sent_to_again(api: Api) -> None:
    await api.client.post(LIST, json=ANNA)

    removed = await api.client.delete(LIST, params=ANNA)
    assert removed.status_code == 204
    assert (await api.client.delete(LIST, params=ANNA)).status_code == 404

    shown = (await api.client.get(f"{PREFIX}/{await api.send()}")).json()
    assert shown["status"] == "pending"


@pytest.mark.parametrize("will", ["unsubscribed", "spam_report"])
async def test_what_the_recipient_asked_for_comes_off_by_an_admin_with_a_reason(
    api: Api, will: str
) -> None:
    await api.client.post(LIST, json=ANNA)
    await api.client.post(LIST, json={**ANNA, "recipient": "Anna@Example.com", "reason": will})
    admin = await api.headers("operators", "admin")
    entry = {**ANNA, "service": "orders"}
    why = {"reason": "asked by phone"}

    for refused in (ANNA, {**ANNA, **why}):
        answer = await api.client.delete(LIST, params=refused)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert will in answer.json()["detail"]
    with_address = ({"reason": "anna@example.com wants it"}, {"reason": "+49 (0)170 1234567"})
    for wrong in ({}, {"reason": " "}, *with_address):
        answer = await api.client.delete(LIST, params={**entry, **wrong}, headers=admin)
        assert answer.status_code == 422
        assert [each["parameter"] for each in answer.json()["errors"]] == ["reason"]
    assert len(await listed(api)) == 1
    with capture_logs() as logs:
        answer = await api.client.delete(LIST, params={**entry, **why}, headers=admin)

    assert answer.status_code == 204
    (logged,) = [each for each in logs if each["event"] == "suppression.removed"]
    assert (logged["reasons"], logged["why"]) == ([will], "asked by phone")
    assert logged["key"]
    assert "anna" not in str(logged).lower()


async def test_a_recipient_is_found_and_suppressed_in_any_writing(api: Api) -> None:
    id = str(await api.send(recipient="\u200b Anna@Example.com. "))
    number = {"type": "sms", "recipient": "+49 (0)170 1234567"}
    await api.client.post(LIST, json=number)

    found = (await api.client.get(f"{PREFIX}?recipient=ANNA@example.com")).json()["items"]
    assert [each["id"] for each in found] == [id]
    shown = (await api.client.get(f"{PREFIX}/{id}")).json()
    assert shown["recipient"] == "Anna@example.com"
    await api.client.post(f"{PREFIX}/send", json={**SMS, "recipient": "+1 (202) 555-0123"})
    assert len((await api.client.get(f"{PREFIX}?recipient=+12025550123")).json()["items"]) == 1
    removed = await api.client.delete(f"{LIST}?type=sms&recipient=+49-170-1234567")
    assert removed.status_code == 204


async def test_a_list_is_its_services_own_and_admins_see_all(api: Api) -> None:
    payments = await api.headers("payments", "send", "read")
    admin = await api.headers("operators", "admin")
    for headers in ({}, payments):
        await api.client.post(LIST, json=ANNA, headers=headers)
    await api.client.post(LIST, json={"type": "in_app", "recipient": ANNA["recipient"]})
    named = await api.client.post(f"{LIST}?service=payments", json=SMS_ENTRY, headers=admin)
    assert named.json()["service"] == "payments"

    anna = ANNA["recipient"]
    assert await listed(api) == [f"orders email {anna}", f"orders in_app {anna}"]
    assert await listed(api, "&type=in-app") == [f"orders in_app {anna}"]
    assert await listed(api, headers=admin) == [
        "payments sms +491701234567",
        f"orders email {anna}",
        f"orders in_app {anna}",
        f"payments email {anna}",
    ]
    assert await listed(api, "&service=payments", payments) == [
        "payments sms +491701234567",
        f"payments email {anna}",
    ]
    for answer in (
        await api.client.get(f"{LIST}?service=payments"),
        await api.client.post(f"{LIST}?service=payments", json=ANNA),
        await api.client.delete(LIST, params={**ANNA, "service": "payments"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


SMS_ENTRY = {"type": "sms", "recipient": "+491701234567", "reason": "unsubscribed"}


async def test_the_same_request_again_has_no_second_effect(api: Api) -> None:
    key = {"Idempotency-Key": "list-1"}
    await api.client.post(LIST, json=ANNA, headers=key)
    await api.client.delete(LIST, params=ANNA)

    again = await api.client.post(LIST, json=ANNA, headers=key)
    other = await api.client.post(f"{LIST}?service=orders", json=ANNA, headers=key)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert await listed(api) == []
    assert other.json()["code"] == "idempotency-key-reused"


async def test_a_page_goes_on_behind_any_recipient(api: Api) -> None:
    recipients = sorted(["a,b", "50%", "x y", "ü", "u+1", "a/b?c=d&e"])
    for recipient in recipients:
        entry = {"type": "in_app", "recipient": recipient}
        assert (await api.client.post(LIST, json=entry)).status_code == 200

    assert sorted(await listed(api)) == [f"orders in_app {each}" for each in recipients]
    for recipient in recipients:
        path = f"{LIST}?type=in_app&recipient={quote(recipient, safe='')}"
        assert (await api.client.delete(path)).status_code == 204


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"type": "fax"}, "/type"),
        ({"recipient": "anna"}, "/recipient"),
        ({"recipient": "a\0@example.com"}, "/recipient"),
        ({"reason": "because"}, "/reason"),
        ({"service": "payments"}, "/service"),
    ],
)
async def test_what_is_wrong_with_an_entry_is_told(
    api: Api, changes: dict[str, str], where: str
) -> None:
    answer = await api.client.post(LIST, json={**ANNA, **changes})

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [where]


@pytest.mark.parametrize("query", ["after=x", "after=fax,a,b", "limit=0", "type=fax", "service="])
async def test_what_is_wrong_with_a_query_is_told(api: Api, query: str) -> None:
    answer = await api.client.get(f"{LIST}?{query}")

    assert answer.status_code == 422
    assert [each["parameter"] for each in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_changing_needs_the_scope_send(api: Api) -> None:
    reader = await api.headers("orders", "read")
    async with client_of(api.app) as anybody:
        assert (await anybody.get(LIST)).status_code == 401
    assert (await api.client.post(LIST, json=ANNA, headers=reader)).status_code == 403
    assert (await api.client.delete(LIST, params=ANNA, headers=reader)).status_code == 403
    allowed = (await api.client.options(LIST)).headers["allow"]
    assert allowed == "DELETE, GET, HEAD, OPTIONS, POST"
