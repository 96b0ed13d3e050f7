"""Broadcasts in the console: looked at before they are sent, sent once, and stopped."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from notifier.broadcasts.broadcast import State, StoredBroadcast
from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of

BROADCASTS = "/console/broadcasts"
NEW = f"{BROADCASTS}/new"
TEMPLATE: Mapping[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {"issue": {"type": "integer"}},
        "required": ["issue"],
    },
    "examples": [{"issue": 7}],
    "parts": {"en": {"email": {"subject": "News {{ issue }}", "text": "Read {{ issue }}."}}},
}
FILLED: Mapping[str, object] = {
    "template": "news",
    "type": "email",
    "to": "topic",
    "topic": "weekly",
    "variables": '{"issue": 7}',
    "priority": "bulk",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


@pytest.fixture
async def client(api: Api) -> httpx2.AsyncClient:
    """Somebody who may send, in a service that has a template, a topic and two people."""
    headers = await api.headers("orders", "templates", "recipients", "read")
    asked = [
        ("PUT", "templates/news/draft", TEMPLATE),
        ("POST", "templates/news/publish", None),
        ("PUT", "topics/weekly", {"title": "Weekly"}),
        ("PUT", "topics/weekly/members", {"members": [{"user_id": it} for it in ("ada", "ben")]}),
        ("PUT", "recipients/ada", {"addresses": [{"channel": "email", "address": "a@b.example"}]}),
        ("PUT", "recipients/ben", {"attributes": {"plan": "pro"}}),
    ]
    for method, path, body in asked:
        answer = await api.client.request(method, f"/api/v1/{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
    return await signed_in(api, "broadcasts")


def hidden_in(answer: httpx2.Response) -> dict[str, str]:
    """What the button that sends holds."""
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)
    unescaped = {name: value.replace("&quot;", '"') for name, value in found}
    return {name: value for name, value in unescaped.items() if name != "token"}


async def stored(api: Api) -> list[StoredBroadcast]:
    return list(await api.services.broadcasts.list(service=None, limit=9, after=None))


async def send(client: httpx2.AsyncClient, **changes: object) -> httpx2.Response:
    look = await post(client, NEW, {**FILLED, **changes})
    return await post(client, f"{NEW}/send", hidden_in(look))


async def test_nothing_is_sent_before_somebody_saw_whom_it_reaches(
    api: Api, client: httpx2.AsyncClient
) -> None:
    look = await post(client, NEW, FILLED)

    assert await stored(api) == []
    said = text_of(look)
    assert "topic weekly: 2 members" in said
    assert "1 accepted, 1 without an address" in said
    assert "ben without address" in said
    assert "Send it to 2 members" in said


async def test_it_is_sent_once_however_often_its_form_is_posted(
    api: Api, client: httpx2.AsyncClient
) -> None:
    fields = hidden_in(await post(client, NEW, FILLED))

    answers = [await post(client, f"{NEW}/send", fields) for _ in range(2)]

    [it] = await stored(api)
    assert {each.headers["location"] for each in answers} == {f"{BROADCASTS}/{it.id}?done=sent"}
    assert (it.template, it.whom.topic, it.variables) == ("news", "weekly", {"issue": 7})
    page = text_of(await client.get(answers[0].headers["location"]))
    assert "each member becomes a notification" in page
    assert "topic weekly" in page


async def test_whom_it_is_for_may_be_told_by_what_they_have(
    api: Api, client: httpx2.AsyncClient
) -> None:
    assert (await send(client, to="filter", filter="plan: pro\n\n")).status_code == 303
    assert (await send(client, to="all", exclude="ada\n ben", rate_per_s="5")).status_code == 303

    everybody, some = await stored(api)
    assert some.whom.attributes == {"plan": "pro"}
    assert everybody.whom.excluded == {"ada", "ben"}
    assert everybody.rate_per_s == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"template": ""}, "template"),
        ({"template": "nowhere"}, "template"),
        ({"topic": "nowhere"}, "topic"),
        ({"topic": ""}, "topic"),
        ({"to": "filter", "filter": ""}, "filter"),
        ({"variables": "[1]"}, "variables"),
        ({"variables": "{"}, "variables"),
        ({"type": "sms"}, "template"),
        ({"rate_per_s": "many"}, "rate_per_s"),
        ({"rate_per_s": "0"}, "rate_per_s"),
        ({"send_at": "tomorrow"}, "send_at"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    api: Api, client: httpx2.AsyncClient, changes: Mapping[str, object], field: str
) -> None:
    answer = await post(client, NEW, {**FILLED, **changes})

    assert answer.status_code == 422
    assert list(flaws_in(answer)) == [field]
    assert (await post(client, f"{NEW}/send", {**FILLED, **changes})).status_code == 422
    assert await stored(api) == []


async def test_who_goes_back_finds_what_they_filled_in(client: httpx2.AsyncClient) -> None:
    fields = hidden_in(await post(client, NEW, FILLED))

    form = await post(client, NEW, {**fields, "do": "back"})

    assert form.status_code == 200
    assert 'value="weekly"' in form.text


async def test_it_is_paused_resumed_and_cancelled(api: Api, client: httpx2.AsyncClient) -> None:
    await send(client)
    [it] = await stored(api)
    page = f"{BROADCASTS}/{it.id}"

    async def state() -> State:
        return (await stored(api))[0].state

    assert (await post(client, f"{page}/pause", {})).headers["location"] == f"{page}?done=pause"
    assert await state() is State.PAUSED
    assert "Resume" in (await client.get(page)).text
    await post(client, f"{page}/resume", {})
    assert await state() is State.SCHEDULED
    assert "taken back, for good" in (await client.get(f"{page}/cancel")).text
    await post(client, f"{page}/cancel", {})
    assert await state() is State.CANCELLED
    assert (await post(client, f"{page}/pause", {})).status_code == 409


async def test_a_service_sends_in_its_own_name_and_moves_nothing_of_others(
    api: Api, client: httpx2.AsyncClient
) -> None:
    await send(client)
    [it] = await stored(api)
    other = await signed_in(api, "broadcasts", service="shop")

    assert (await other.get(f"{BROADCASTS}/{it.id}")).status_code == 404
    assert (await post(other, f"{BROADCASTS}/{it.id}/cancel", {})).status_code == 404
    assert (await post(other, NEW, {**FILLED, "service": "orders"})).status_code == 403
    assert 'name="service"' not in (await other.get(NEW)).text
    admin = await signed_in(api, "admin", service="operators")
    sent = await send(admin, service="orders")
    assert sent.status_code == 303
    assert [each.service for each in await stored(api)] == ["orders", "orders"]
