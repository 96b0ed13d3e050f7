"""Subscriber tokens over HTTP: one inbox is open to them, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
import structlog

from tests.api import MAIL, PREFIX, Api, client_of, serving

INBOX = "/api/v1/inbox"
A_NOTIFICATION = "0f34873c-82e9-4772-b1c8-5865511d23ea"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, subscriber_requests_per_minute=50) as it:
        yield it


async def token(api: Api, recipient: str = "ada", **more: object) -> str:
    answer = await api.client.post(f"{INBOX}/tokens", json={"recipient": recipient, **more})
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["token"]
    return text


def browser(api: Api, token: str) -> httpx2.AsyncClient:
    client = client_of(api.app)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


async def test_a_token_reads_and_marks_its_inbox(api: Api) -> None:
    id = await api.deliver_in_app("ada", "hello")

    async with browser(api, await token(api)) as ada:
        shown = (await ada.get(f"{INBOX}/ada")).json()
        marked = [
            (await ada.post(f"{INBOX}/ada{path}/read")).status_code for path in ("", f"/{id}")
        ]

    assert [each["text"] for each in shown["items"]] == ["hello"]
    assert marked == [204, 204]


async def test_a_token_of_an_earlier_id_opens_the_inbox_of_who_has_that_now(api: Api) -> None:
    keeper = await api.headers("orders", "recipients")
    for each in ("ada", "ada-before"):
        await api.client.put(f"/api/v1/recipients/{each}", json={}, headers=keeper)
    await api.deliver_in_app("ada", "hello")
    earlier = await token(api, "ada-before")
    merged = {"from": "ada-before"}
    await api.client.post("/api/v1/recipients/ada/merge", json=merged, headers=keeper)

    async with browser(api, earlier) as before:
        shown = (await before.get(f"{INBOX}/ada-before")).json()
        refused = await before.get(f"{INBOX}/ada")

    assert [each["text"] for each in shown["items"]] == ["hello"]
    assert refused.status_code == 403


async def test_a_token_says_how_long_it_works(api: Api) -> None:
    answer = await api.client.post(f"{INBOX}/tokens", json={"recipient": "ada"})

    assert answer.json().keys() == {"token", "recipient", "expires_at"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{INBOX}/bob"),
        ("GET", f"{INBOX}/bob/stream"),
        ("POST", f"{INBOX}/bob/read"),
        ("POST", f"{INBOX}/bob/{A_NOTIFICATION}/read"),
        ("GET", f"{INBOX}/ada%2Fbob"),
        ("POST", f"{INBOX}/tokens"),
        ("GET", PREFIX),
        ("POST", f"{PREFIX}/send"),
        ("GET", "/api/v1/suppressions"),
        ("GET", "/api/v1/account"),
    ],
)
async def test_a_token_opens_nothing_else(api: Api, method: str, path: str) -> None:
    bodies = {f"{INBOX}/tokens": {"recipient": "ada"}, f"{PREFIX}/send": MAIL}
    async with browser(api, await token(api)) as ada:
        answer = await ada.request(method, path, json=bodies.get(path))

    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    assert "subscriber token" in answer.json()["detail"]


async def test_a_token_of_another_service_shows_that_services_inbox(api: Api) -> None:
    await api.deliver_in_app("ada", "of orders")
    async with client_of(api.app) as client:
        client.headers.update(await api.headers("payments", "read"))
        made = await client.post(f"{INBOX}/tokens", json={"recipient": "ada"})

    async with browser(api, made.json()["token"]) as ada:
        assert (await ada.get(f"{INBOX}/ada")).json()["items"] == []


async def test_an_expired_token_is_told_apart(api: Api) -> None:
    async with browser(api, await token(api, expires_in_s=86_400)) as ada:
        assert (await ada.get(f"{INBOX}/ada")).status_code == 200
        api.clock.days_on = 1
        answer = await ada.get(f"{INBOX}/ada")

    assert (answer.status_code, answer.json()["code"]) == (401, "token-expired")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert "/api/v1/inbox/tokens" in answer.json()["detail"]


async def test_a_token_ends_with_the_key_that_made_it(api: Api) -> None:
    key = await api.key("orders", "read")
    async with client_of(api.app) as client:
        client.headers["Authorization"] = f"Bearer {key.text}"
        made = (await client.post(f"{INBOX}/tokens", json={"recipient": "ada"})).json()["token"]
    async with browser(api, made) as ada:
        assert (await ada.get(f"{INBOX}/ada")).status_code == 200

        await api.services.keys.revoke(key.id)
        api.clock.ahead_s = 5

        answer = await ada.get(f"{INBOX}/ada")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert "key that made" in answer.json()["detail"]


async def test_a_forged_token_is_refused_and_guessing_slowed_down(api: Api) -> None:
    forged = f"{(await token(api)).partition('.')[0]}.{'A' * 43}"

    async with browser(api, forged) as client:
        answers = await asyncio.gather(*(client.get(f"{INBOX}/ada") for _ in range(61)))

    assert {each.json()["code"] for each in answers} == {"unauthenticated", "rate-limited"}
    assert "not made here" in answers[0].json()["detail"]


async def test_a_browser_has_a_rate_of_its_own(api: Api) -> None:
    async with browser(api, await token(api)) as ada:
        answers = [await ada.get(f"{INBOX}/ada") for _ in range(51)]

    assert [each.status_code for each in answers] == [200] * 50 + [429]
    assert answers[0].headers["ratelimit-policy"] == '"default";q=50;w=60'
    assert (await api.client.get(f"{INBOX}/ada")).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"recipient": "ada", "expires_in_s": 86_401}, "/expires_in_s"),
        ({"recipient": "ada", "expires_in_s": 0}, "/expires_in_s"),
        ({"recipient": ""}, "/recipient"),
        ({"recipient": "a\nb"}, "/recipient"),
        ({}, "/recipient"),
        ({"recipient": "ada", "scope": "send"}, "/scope"),
    ],
)
async def test_what_cannot_be_a_token_is_refused_with_its_field(
    api: Api, body: Mapping[str, object], pointer: str
) -> None:
    answer = await api.client.post(f"{INBOX}/tokens", json=body)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_making_a_token_needs_what_reading_the_inbox_needs(api: Api) -> None:
    async with client_of(api.app) as client:
        client.headers.update(await api.headers("orders", "send"))
        answer = await client.post(f"{INBOX}/tokens", json={"recipient": "ada"})

    assert answer.status_code == 403


async def test_no_log_line_holds_a_token(api: Api) -> None:
    with structlog.testing.capture_logs() as lines:
        made = await token(api)
        async with browser(api, made) as ada:
            await ada.get(f"{INBOX}/ada")
            await ada.get(f"{INBOX}/bob")
            api.clock.days_on = 1
            await ada.get(f"{INBOX}/ada")

    assert len(lines) == 4
    assert made not in str(lines)
    assert made.rpartition(".")[2] not in str(lines)
