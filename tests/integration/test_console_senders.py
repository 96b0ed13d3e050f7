"""Senders in the console: listed, set, changed and removed."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of

SENDERS = "/console/senders"
SET = f"{SENDERS}/set"
REMOVE = f"{SENDERS}/remove"
SHOP = {
    "service": "orders",
    "name": "default",
    "address": "shop@shop.example",
    "display_name": "The Shop",
    "reply_to": "Help <help@shop.example>",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


@pytest.fixture
async def operator(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "admin")


async def test_a_sender_is_set_shown_in_its_form_changed_and_removed(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    assert "done=set" in (await post(operator, SET, SHOP)).headers["location"]
    listed = text_of(await operator.get(SENDERS))
    assert "The Shop <shop@shop.example>" in listed
    form = await operator.get(SET, params={"service": "orders", "name": "default"})
    assert 'value="The Shop"' in form.text
    await post(operator, SET, {**SHOP, "display_name": "Our Shop"})
    assert (await api.services.senders.of("orders"))["default"].mailbox.name == "Our Shop"

    which = {"service": "orders", "name": "default"}
    assert "Sends that name it are refused" in text_of(await operator.get(REMOVE, params=which))
    assert "done=removed" in (await post(operator, REMOVE, which)).headers["location"]
    assert await api.services.senders.of("orders") == {}
    assert (await post(operator, REMOVE, which)).status_code == 404
    assert (await operator.get(REMOVE, params=which)).status_code == 404


async def test_what_is_wrong_with_a_sender_is_said_by_field(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    wrong = {"service": "", "name": "A b", "address": "shop", "reply_to": "<", "display_name": "S"}
    answer = await post(operator, SET, wrong)

    assert answer.status_code == 422
    assert set(flaws_in(answer)) == {"service", "name", "address", "reply_to"}
    assert 'value="A b"' in answer.text
    assert await api.services.senders.list(service=None, limit=9, after=None) == []


async def test_a_service_sees_its_senders_and_changes_none(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    await post(operator, SET, SHOP)
    await post(operator, SET, {**SHOP, "service": "other", "address": "o@other.example"})
    client = await signed_in(api, "read")

    page = text_of(await client.get(SENDERS))

    assert ("shop@shop.example" in page, "o@other.example" in page) == (True, False)
    assert "Remove" not in page
    assert (await post(client, SET, SHOP)).status_code == 403
    assert (await post(client, REMOVE, {"service": "orders", "name": "default"})).status_code == 403
