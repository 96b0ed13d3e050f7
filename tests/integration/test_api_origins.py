"""Which pages may use inboxes through a browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.api import Api, client_of, serving

PAGE = "https://app.example.com"
INBOX = "/api/v1/inbox/ada"
HOSTILE = (
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com:443",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://APP.example.com",
    "https://app.example.com/",
    "https://app.example.com https://evil.example",
    "null",
    "*",
    "",
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, allowed_origins=(PAGE, "http://localhost:3000")) as it:
        yield it


async def ask(
    client: httpx2.AsyncClient, origin: str, path: str = INBOX, method: str = "GET"
) -> httpx2.Response:
    """What a browser asks before it lets a page ask."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,last-event-id",
    }
    return await client.options(path, headers=headers)


@pytest.mark.parametrize("path", [INBOX, f"{INBOX}/stream", f"{INBOX}/read"])
@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
async def test_an_allowed_page_may_ask_before_anybody_knows_who_it_is(
    api: Api, origin: str, path: str
) -> None:
    async with client_of(api.app) as browser:
        answer = await ask(browser, origin, path, "POST")

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "Last-Event-ID" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "7200"
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", HOSTILE)
async def test_no_other_page_may(api: Api, origin: str) -> None:
    asked = await ask(api.client, origin)
    answer = await api.client.get(INBOX, headers={"Origin": origin})

    assert asked.status_code == 403
    assert "NOTIFIER_API__ALLOWED_ORIGINS" in asked.json()["detail"]
    for each in (asked, answer):
        assert not {name for name in each.headers if name.startswith("access-control")}
        assert each.headers["vary"] == "Origin"


async def test_answers_can_be_read_by_an_allowed_page_and_are_kept_apart(api: Api) -> None:
    answer = await api.client.get(INBOX, headers={"Origin": PAGE})

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "Origin"


async def test_a_refusal_can_be_read_too(api: Api) -> None:
    async with client_of(api.app) as browser:
        answer = await browser.get(INBOX, headers={"Origin": PAGE})

    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("path", ["/api/v1/notifications", "/api/v1/inboxes/ada", "/healthz"])
async def test_nothing_but_inboxes_is_open_to_pages(api: Api, path: str) -> None:
    asked = await ask(api.client, PAGE, path)
    answer = await api.client.get(path, headers={"Origin": PAGE})

    assert "access-control-allow-origin" not in {**asked.headers, **answer.headers}


async def test_without_the_setting_nothing_is_said_of_origins(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        asked = await ask(api.client, PAGE)
        answer = await api.client.get(INBOX, headers={"Origin": PAGE})

    assert "access-control-allow-origin" not in {**asked.headers, **answer.headers}
    assert "vary" not in answer.headers


async def test_asking_for_the_methods_is_still_answered(api: Api) -> None:
    answer = await api.client.options(INBOX, headers={"Origin": PAGE})

    assert answer.status_code == 204
    assert "GET" in answer.headers["allow"]
