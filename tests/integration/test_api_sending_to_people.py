"""Sending to people of the directory over HTTP."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from notifier.audience.category import Category
from notifier.audience.choice_change import Source
from notifier.audience.links import Chooser
from notifier.notification.model import Channel
from tests.api import PREFIX, Api, serving
from tests.people import a_profile

SEND = f"{PREFIX}/send"
NEWS: Mapping[str, Any] = {
    "type": "email",
    "user_id": "u-7",
    "category": "news",
    "subject": "News",
    "content": "There are some.",
}
OFF: Mapping[str, Any] = {
    "code": "choice",
    "detail": "its recipient switched news off for email",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        await it.stores.people.put("orders", a_profile("u-7"))
        await it.stores.categories.set(Category(service="orders", key="news"))
        yield it


async def send(api: Api, key: str = "", **changes: object) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.client.post(SEND, json={**NEWS, **changes}, headers=headers)


async def unsubscribe(api: Api) -> None:
    chooser = Chooser(service="orders", channel=Channel.EMAIL, category="news", user_id="u-7")
    await api.stores.choosing.choose(chooser, {("news", "email"): False}, Source.PAGE)


async def test_a_person_is_sent_to_at_their_own_address(api: Api) -> None:
    answer = await send(api)

    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    shown = (await api.client.get(answer.headers["location"])).json()
    assert (shown["recipient"], shown["user_id"], shown["category"]) == (
        "ada@example.org",
        "u-7",
        "news",
    )
    listed = (await api.client.get(PREFIX, params={"user_id": "u-7"})).json()["items"]
    assert [each["id"] for each in listed] == [answer.json()["id"]]


async def test_what_they_do_not_want_is_accepted_as_suppressed_with_the_reason(api: Api) -> None:
    await unsubscribe(api)

    answer = await send(api, key="k-1")
    again = await send(api, key="k-1")

    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (
        202,
        "suppressed",
        OFF,
    )
    assert again.json() == answer.json()
    status = (await api.client.get(f"{answer.headers['location']}/status")).json()
    assert (status["status"], status["error"]["code"]) == ("suppressed", "choice")
    assert [each["event"] for each in status["history"]] == ["accept", "suppress"]
    assert status["history"][1]["error"]["message"] == OFF["detail"]
    depths = {each.name: each.ready for each in await api.queue.depths()}
    assert set(depths.values()) == {0}


async def test_each_item_of_a_batch_is_answered_for_its_person(api: Api) -> None:
    await unsubscribe(api)
    await api.stores.people.put("orders", a_profile("u-8"))
    items = [{**NEWS, "user_id": user_id} for user_id in ("u-7", "u-8", "u-9")]

    answer = await api.client.post(f"{PREFIX}/batch", json={"notifications": items})

    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 1)
    told = [(each["status"], each["reason"]) for each in answer.json()["items"]]
    assert told == [("suppressed", OFF), ("pending", None), ("rejected", None)]
    [error] = answer.json()["items"][2]["errors"]
    assert error["pointer"] == "/notifications/2/user_id"


async def test_whoever_is_unknown_is_a_422_that_says_what_to_do(api: Api) -> None:
    answer = await send(api, user_id="u-9", category="offers")
    neither = await send(api, user_id=None)
    nobody = await api.client.post(SEND, json={})

    assert answer.status_code == 422
    told = {each["pointer"]: each["detail"] for each in answer.json()["errors"]}
    assert set(told) == {"/user_id", "/category"}
    assert "PUT /api/v1/recipients/{user_id}" in told["/user_id"]
    assert [each["pointer"] for each in neither.json()["errors"]] == ["/recipient"]
    assert {"/type", "/recipient"} <= {each["pointer"] for each in nobody.json()["errors"]}


async def test_people_of_other_services_are_unknown(api: Api) -> None:
    await api.stores.people.put("payments", a_profile("u-8"))

    assert (await send(api, user_id="u-8")).status_code == 422
