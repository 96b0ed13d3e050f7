"""Categories and brands in the console: shown, set, and nobody's change overwritten unseen."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from notifier.audience.category import Cap, Category, Span
from notifier.content.brand import Brand
from notifier.notification.model import Channel
from tests.api import Api, serving
from tests.console import fields_in, flaws_in, post, signed_in, text_of

CATEGORIES = "/console/categories"
SET = f"{CATEGORIES}/set"
REMOVE = f"{CATEGORIES}/remove"
BRAND = "/console/brand"
NEWS = {
    "key": "news",
    "kind": "marketing",
    "can_switch_off": "yes",
    "titles": "en: News\nde: Neuigkeiten",
    "on": "email",
    "limit": "3",
    "per": "week",
    "etag": "",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


@pytest.fixture
async def author(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "read", "templates")


async def declared(api: Api) -> Category:
    """The category as it is stored."""
    return (await api.services.categories.declared("orders")).by_key["news"]


async def test_a_category_is_set_shown_in_its_form_changed_and_removed(
    api: Api, author: httpx2.AsyncClient
) -> None:
    assert "No categories yet" in text_of(await author.get(CATEGORIES))
    assert "done=set" in (await post(author, SET, NEWS)).headers["location"]
    stored = await declared(api)
    assert stored.titles == {"en": "News", "de": "Neuigkeiten"}
    assert stored.cap == Cap(3, Span.WEEK)
    assert [each for each in Channel if stored.is_on_by_default(each)] == [Channel.EMAIL]
    assert "at most 3 in each week" in text_of(await author.get(CATEGORIES))

    form = fields_in(await author.get(SET, params={"key": "news"}))
    assert (form["titles"], form["limit"]) == (NEWS["titles"], "3")
    await post(author, SET, {**form, "limit": ""})
    assert (await declared(api)).cap is None

    assert "as if it had none" in text_of(await author.get(REMOVE, params={"key": "news"}))
    assert "done=removed" in (await post(author, REMOVE, {"key": "news"})).headers["location"]
    assert (await api.services.categories.declared("orders")).by_key == {}
    assert (await post(author, REMOVE, {"key": "news"})).status_code == 404


async def test_what_is_wrong_with_a_category_is_said_by_field(
    api: Api, author: httpx2.AsyncClient
) -> None:
    wrong = {**NEWS, "key": "A b", "titles": "not a language: News", "limit": "0"}

    answer = await post(author, SET, wrong)

    assert answer.status_code == 422
    assert set(flaws_in(answer)) == {"key", "titles", "limit"}
    assert set(flaws_in(await post(author, SET, {**NEWS, "limit": "many"}))) == {"limit"}
    nobody = {**NEWS, "can_switch_off": "", "limit": ""}
    assert "always switch off" in text_of(await post(author, SET, nobody))
    assert (await api.services.categories.declared("orders")).by_key == {}


async def test_a_category_that_somebody_else_changed_is_not_overwritten_unseen(
    api: Api, author: httpx2.AsyncClient
) -> None:
    await post(author, SET, NEWS)
    mine = fields_in(await author.get(SET, params={"key": "news"}))
    await post(author, SET, {**mine, "limit": "7"})

    refused = await post(author, SET, {**mine, "limit": "9"})

    assert refused.status_code == 422
    assert "somebody else changed it" in text_of(refused)
    assert (await declared(api)).cap == Cap(7, Span.WEEK)
    assert "somebody else changed it" in text_of(await post(author, SET, NEWS))
    await post(author, SET, fields_in(refused))
    assert (await declared(api)).cap == Cap(9, Span.WEEK)


async def test_readers_see_categories_and_change_none(api: Api, author: httpx2.AsyncClient) -> None:
    await post(author, SET, NEWS)
    reader = await signed_in(api, "read")

    page = await reader.get(CATEGORIES)

    assert "news" in text_of(page)
    assert "Remove" not in text_of(page)
    assert (await post(reader, SET, NEWS)).status_code == 403
    assert (await reader.get(BRAND)).status_code == 403


async def test_a_brand_is_said_and_what_is_wrong_with_it_by_field(
    api: Api, author: httpx2.AsyncClient
) -> None:
    form = fields_in(await author.get(BRAND))
    assert form["name"] == "orders"
    wrong = {**form, "color": "green", "logo_url": "http://x", "radius": "round"}
    refused = await post(author, BRAND, wrong)
    assert set(flaws_in(refused)) == {"color", "logo_url", "radius"}

    saved = await post(author, BRAND, {**form, "name": "Evently", "radius": "8"})

    assert "The brand is saved" in text_of(saved)
    brand = (await api.services.brands.brand("orders")).brand
    assert (brand.name, brand.radius) == ("Evently", 8)
    late = await post(author, BRAND, {**form, "name": "Late"})
    assert "somebody else changed it" in text_of(late)
    assert (await api.services.brands.brand("orders")).brand.name == "Evently"
    stranger = await signed_in(api, "templates", service="other")
    asked = {**fields_in(await stranger.get(BRAND)), "service": "orders"}
    assert (await post(stranger, BRAND, asked)).status_code == 403


async def test_a_new_brand_is_in_the_templates_that_read_it_where_that_is_wanted(
    api: Api, author: httpx2.AsyncClient
) -> None:
    headers = await api.headers("orders", "templates")
    path = "/api/v1/templates/hello"
    parts = {"en": {"sms": {"text": "Hello from {{ brand.name }}"}}}
    await api.client.put(f"{path}/draft", json={"parts": parts}, headers=headers)
    assert (await api.client.post(f"{path}/publish", headers=headers)).is_success
    form = fields_in(await author.get(BRAND))

    saved = await post(author, BRAND, {**form, "name": "Evently", "cascade": "yes"})

    assert "hello is published again as version 2" in text_of(saved)
    assert (await api.services.brands.brand("orders")).brand == Brand(name="Evently")
