"""The brand over HTTP, and what it comes to in mails."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api, serving

BRAND = "/api/v1/brand"
TEMPLATE = "/api/v1/templates/otp"
EVENTLY = {
    "name": "Evently",
    "url": "https://evently.example.com/",
    "logo_url": "https://evently.example.com/logo.png?v=2",
    "logo_width": 120,
    "color": "#0A5C36",
    "font_family": "Inter, Arial, sans-serif",
    "postal_address": "1 Street\nVienna",
    "support_email": "help@evently.example.com",
    "support_phone": "+43 1 234567",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "send", "read", "templates"))
        yield it


def a_content(html: str) -> dict[str, Any]:
    email = {"subject": "Code", "preheader": "It is short", "text": "Code", "html": html}
    return {"parts": {"en": {"email": email}}}


async def html_of(api: Api, **wanted: object) -> str:
    answer = await api.client.post(f"{TEMPLATE}/render", json={"type": "email", **wanted})
    assert answer.status_code == 200, answer.text
    html: str = answer.json()["html"]
    return html


async def test_a_brand_is_shown_as_it_was_said_with_defaults(api: Api) -> None:
    before = await api.client.get(BRAND)
    saved = await api.client.put(BRAND, json=EVENTLY)
    shown = await api.client.get(BRAND)

    assert before.json()["name"] == "orders"
    assert saved.status_code == 200, saved.text
    assert saved.json() == shown.json()
    assert EVENTLY.items() <= shown.json().items()
    assert (shown.json()["on_color"], shown.json()["support_url"]) == ("#ffffff", None)
    assert shown.headers["etag"] == shown.json()["etag"] != before.headers["etag"]


async def test_who_lost_the_race_for_a_brand_is_told(api: Api) -> None:
    seen = (await api.client.get(BRAND)).headers["etag"]
    await api.client.put(BRAND, json=EVENTLY, headers={"If-Match": seen})

    late = await api.client.put(BRAND, json={"name": "Late"}, headers={"If-Match": seen})

    assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    assert (await api.client.get(BRAND)).json()["name"] == "Evently"


async def test_a_brand_that_is_refused_is_told_what_is_expected(api: Api) -> None:
    wrong = {
        "url": "http://evently.example.com/",
        "color": "red",
        "font_family": "'Inter'",
        "support_phone": "call us",
    }
    answer = await api.client.put(BRAND, json=wrong)

    assert {each["pointer"]: each["detail"] for each in answer.json()["errors"]} == {
        "/url": "expected an address by https:, of a host with a name",
        "/color": "expected a colour such as #0a5c36",
        "/font_family": "expected names of fonts without quotes, such as Inter, Arial, sans-serif",
        "/support_phone": "expected a telephone number, such as +43 1 234567",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://evently.example.com"),
        ("url", "javascript:alert(1)"),
        ("url", 'https://evently.example.com/"onload=alert(1)'),
        ("url", "https://user@evently.example.com/"),
        ("logo_url", "https://127.0.0.1/a.png"),
        ("logo_url", "https://[::1]/a.png"),
        ("logo_url", "data:image/svg+xml,<svg onload=alert(1)>"),
        ("support_url", "https://evently/"),
        ("color", "red"),
        ("color", "#fff"),
        ("color", "#000000;background:url(https://example.com)"),
        ("background_color", "#000000\n"),
        ("font_family", 'Inter";x:expression(alert(1))'),
        ("font_family", "</style><script>"),
        ("logo_width", 100_000),
        ("radius", -1),
        ("name", "Two\nlines"),
        ("postal_address", "A\x00B"),
        ("support_email", "javascript:alert(1)"),
        ("support_phone", "call us"),
        ("logo", "https://evently.example.com/logo.png"),
    ],
)
async def test_what_is_not_safe_in_a_mail_is_no_brand(api: Api, field: str, value: object) -> None:
    answer = await api.client.put(BRAND, json={field: value})

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [f"/{field}"]
    assert (await api.client.get(BRAND)).json()["name"] == "orders"


async def test_a_version_keeps_the_brand_that_it_was_published_with(api: Api) -> None:
    html = '<p style="color: {{ brand.color }}">{{ brand.name }}</p>'
    await api.client.put(f"{TEMPLATE}/draft", json=a_content(html))
    await api.client.put(BRAND, json=EVENTLY)
    published = await api.client.post(f"{TEMPLATE}/publish")
    await api.client.put(BRAND, json={"name": "Renamed"})

    assert published.status_code == 200, published.text
    assert '<p style="color: #0A5C36">Evently</p>' in await html_of(api, version=1)
    assert "Renamed" in await html_of(api)


async def test_a_payload_says_nothing_of_the_brand(api: Api) -> None:
    content = a_content("<p>{{ brand.name }}</p>")
    open_schema = {"type": "object", "additionalProperties": True}
    await api.client.put(f"{TEMPLATE}/draft", json={**content, "schema": open_schema})
    await api.client.post(f"{TEMPLATE}/publish")

    forged = {"brand": {"name": "<b>forged</b>"}}

    assert "<p>orders</p>" in await html_of(api, version=1, variables=forged)
    assert "<p>orders</p>" in await html_of(api, variables=forged)


async def test_a_brand_with_html_in_its_texts_is_text_in_a_mail(api: Api) -> None:
    evil = '<script>alert(1)</script>" onload="x'
    await api.client.put(BRAND, json={"name": evil, "postal_address": evil})
    html = '<img alt="{{ brand.name }}" src="https://a.example/a"><p>{{ brand.postal_address }}</p>'
    await api.client.put(f"{TEMPLATE}/draft", json=a_content(html))

    shown = await html_of(api)

    assert "<script" not in shown
    assert shown.count('"') == html.count('"') + 2  # those of the preheader


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ('<a href="{{ brand.postal_address }}">a</a>', "html-link"),
        ('<a href="{{ brand.name }}">a</a>', "html-link"),
        ('<p style="color: {{ brand.name }}">a</p>', "html-context"),
        ("<style>p { color: {{ brand.name }} }</style>", "html-context"),
        ("<script>{{ brand.color }}</script>", "html-context"),
        ("<p>{{ brand.slogan }}</p>", "variable-unknown"),
        ("{% set brand = recipient %}<p>{{ brand.color }}</p>", "variable-reserved"),
        ("{% for a, brand in [] %}<p>{{ brand.color }}</p>{% endfor %}", "variable-reserved"),
        ("{% macro a(brand) %}<p>{{ brand.color }}</p>{% endmacro %}", "variable-reserved"),
    ],
)
async def test_a_brands_texts_stand_where_texts_are_safe(api: Api, html: str, code: str) -> None:
    answer = await api.client.put(f"{TEMPLATE}/draft", json=a_content(html))

    errors = {each["code"] for each in answer.json()["findings"] if each["severity"] == "error"}
    assert code in errors


@pytest.mark.parametrize(
    "html",
    [
        '<a href="{{ brand.url }}">{{ brand.name }}</a>',
        '<img src="{{ brand.logo_url }}" width="{{ brand.logo_width }}" alt="{{ brand.name }}">',
        "<style>p { color: {{ brand.color }}; font-family: {{ brand.font_family }} }</style>",
        "{% if brand.support_url %}<p>{{ brand.support_url }}</p>{% endif %}",
        "{% set b = brand.color %}<p>{{ b }}</p>",
    ],
)
async def test_a_brands_looks_stand_in_links_and_styles(api: Api, html: str) -> None:
    await api.client.put(BRAND, json=EVENTLY)

    answer = await api.client.put(f"{TEMPLATE}/draft", json=a_content(html))

    assert [each for each in answer.json()["findings"] if each["severity"] == "error"] == []
