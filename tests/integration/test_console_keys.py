"""API keys in the console: listed, made, shown once, and revoked."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of

KEYS = "/console/keys"
NEW = f"{KEYS}/new"
WRONG: tuple[tuple[Mapping[str, object], str, str], ...] = (
    ({"service": ""}, "service", "1 to 100"),
    ({"service": "x" * 101}, "service", "1 to 100"),
    ({"scope": []}, "scope", "at least one"),
    ({"scope": ["send", "root"]}, "scope", "some of"),
    ({"days": "soon"}, "days", "a number"),
    ({"days": "0"}, "days", "a number"),
    ({"days": "36501"}, "days", "a number"),
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


@pytest.fixture
async def operator(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "admin")


def key_in(answer: httpx2.Response) -> str:
    [key] = re.findall(r'id="key" value="(ntf_[^"]+)"', answer.text)
    return str(key)


async def make(client: httpx2.AsyncClient, **changes: object) -> httpx2.Response:
    filled = {"service": "shop", "scope": ["send", "read"], "days": "", **changes}
    return await post(client, NEW, filled)


async def test_a_key_works_is_shown_once_and_told_to_nobody_else(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    with capture_logs() as logs:
        made = await make(operator, days="30")

    key = key_in(made)
    assert made.headers["cache-control"] == "no-store"
    asked = {"Authorization": f"Bearer {key}"}
    assert (await api.client.get("/api/v1/suppressions", headers=asked)).status_code == 200
    assert key not in repr(logs)
    listed = await operator.get(KEYS, params={"service": "shop"})
    assert key not in listed.text
    assert "shop" in text_of(listed)
    assert "read, send" in text_of(listed)
    assert re.search(r"usable\s+until ", text_of(listed))


@pytest.mark.parametrize(("changes", "field", "words"), WRONG)
async def test_what_is_wrong_is_said_by_field_and_no_key_is_made(
    api: Api,
    operator: httpx2.AsyncClient,
    changes: Mapping[str, object],
    field: str,
    words: str,
) -> None:
    before = len(await api.services.keys.list())
    answer = await make(operator, **changes)

    assert answer.status_code == 422
    assert words in flaws_in(answer)[field]
    assert flaws_in(answer).keys() == {field}
    assert len(await api.services.keys.list()) == before


async def test_revoking_says_what_it_means_and_then_the_key_opens_nothing(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    key = await api.key("shop", "read")
    path = f"{KEYS}/{key.id}/revoke"

    asked = text_of(await operator.get(path))
    assert "answered 401 within seconds" in asked
    assert "signed in with this key" not in asked
    assert "done=revoked" in (await post(operator, path, {})).headers["location"]

    presented = {"Authorization": f"Bearer {key.text}"}
    assert (await api.client.get("/api/v1/suppressions", headers=presented)).status_code == 401
    assert "revoked" in text_of(await operator.get(KEYS, params={"service": "shop"}))
    assert (await operator.get(f"{KEYS}/{'x' * 16}/revoke")).status_code == 404
    assert (await post(operator, f"{KEYS}/{'x' * 16}/revoke", {})).status_code == 404


async def test_whoever_revokes_their_own_key_is_warned(api: Api) -> None:
    operator = await signed_in(api, "admin", service="operations")
    [own] = [each for each in await api.services.keys.list() if each.service == "operations"]

    asked = await operator.get(f"{KEYS}/{own.id}/revoke")

    assert "you will be signed out" in text_of(asked)


async def test_keys_are_for_operators_alone(api: Api) -> None:
    client = await signed_in(api, "read", "send")

    assert (await client.get(KEYS)).status_code == 403
    assert (await make(client)).status_code == 403


async def test_keys_are_listed_a_page_at_a_time(api: Api, operator: httpx2.AsyncClient) -> None:
    for _ in range(51):
        await api.key("shop", "read")

    first = await operator.get(KEYS, params={"service": "shop"})
    [after] = re.findall(r'<a href="([^"]+)" rel="next">', first.text)
    second = await operator.get(f"{KEYS}{after.replace('&amp;', '&')}")

    assert (first.text.count(">Revoke<"), second.text.count(">Revoke<")) == (50, 1)
