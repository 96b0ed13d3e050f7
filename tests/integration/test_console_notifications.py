"""Notifications in the console: searches, and each with its timeline."""

from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest

from notifier.api.console.notifications import searching
from tests.api import MAIL, PREFIX, Api, serving
from tests.console import signed_in

PAGE = "/console/notifications"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


@pytest.fixture
async def reader(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "read")


async def shown(client: httpx2.AsyncClient, path: str) -> str:
    """A page as a browser reads it."""
    return unescape((await client.get(path)).text)


async def test_a_search_shows_what_it_finds_and_nothing_of_others(
    api: Api, reader: httpx2.AsyncClient
) -> None:
    failed = await api.send(recipient="eve@example.com")
    await api.fail(failed)
    await api.send(recipient="anna@example.com")
    others = await api.headers("payments", "send")
    foreign = {**MAIL, "recipient": "someone@else.example"}
    await api.client.post(f"{PREFIX}/send", json=foreign, headers=others)

    every = await shown(reader, PAGE)
    found = await shown(reader, f"{PAGE}?recipient=&error_code=550&status=failed")

    assert "eve@example.com" in every
    assert "anna@example.com" in every
    assert "someone@else.example" not in every
    assert f"{PAGE}/{failed}" in found
    assert "550: no such mailbox" in found
    assert "anna@example.com" not in found
    assert 'name="error_code" type="text" value="550"' in found
    assert 'value="failed" checked' in found


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("id={id}", True),
        ("priority=normal", True),
        ("priority=high", False),
        ("provider=smtp", False),
        ("metadata=shop=berlin, order=42", True),
        ("metadata=shop=vienna", False),
        ("created_from=2020-01-01T00:00", True),
        ("created_before=2020-01-01T00:00", False),
        ("type=sms", False),
        ("type=email,sms", True),
    ],
)
async def test_each_field_narrows_a_search(
    api: Api, reader: httpx2.AsyncClient, query: str, *, is_found: bool
) -> None:
    id = await api.send(metadata={"shop": "berlin", "order": "42"})

    page = await shown(reader, f"{PAGE}?{query.format(id=id)}")

    assert (f"{PAGE}/{id}" in page) is is_found
    assert ("No notification matches this." in page) is not is_found


async def test_what_is_wrong_with_a_search_is_said_at_its_field(
    reader: httpx2.AsyncClient,
) -> None:
    page = await reader.get(f"{PAGE}?id=nonsense&created_from=yesterday")

    assert page.status_code == 422
    assert 'aria-invalid="true" aria-describedby="id-flaw"' in page.text
    assert 'id="created_from-flaw"' in page.text
    assert 'value="nonsense"' in page.text


async def test_a_part_of_the_page_comes_with_the_address_that_finds_it_again(
    api: Api, reader: httpx2.AsyncClient
) -> None:
    await api.send()
    asked = {"recipient": "anna@example.com", "template": "", "type": "email"}

    part = await reader.get(PAGE, params=asked, headers={"HX-Request": "true"})

    assert "<html" not in part.text
    assert "anna@example.com" in part.text
    address = part.headers["hx-replace-url"]
    assert address == f"{PAGE}?recipient=anna%40example.com&type=email"
    assert "anna@example.com" in (await reader.get(address)).text


async def test_pages_lead_on_to_older_ones_and_keep_the_search(
    api: Api, reader: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_PER_PAGE", 2)
    ids = [await api.send() for _ in range(3)]

    first = await shown(reader, f"{PAGE}?type=email")

    following = first.split(' rel="next"')[0].rsplit('href="', 1)[1].rstrip('"')
    assert following.startswith(f"{PAGE}?type=email&after=")
    second = await shown(reader, following)
    assert [f"{PAGE}/{id}" in second for id in ids] == [True, False, False]


async def test_only_an_operator_names_a_service(api: Api, reader: httpx2.AsyncClient) -> None:
    await api.send()
    operator = await signed_in(api, "admin", service="operators")

    assert 'name="service"' not in (await reader.get(PAGE)).text
    assert (await reader.get(f"{PAGE}?service=payments")).status_code == 403
    assert "anna@example.com" in (await operator.get(f"{PAGE}?service=orders")).text
    assert "anna@example.com" not in (await operator.get(f"{PAGE}?service=payments")).text


async def test_a_key_that_may_not_read_is_refused(api: Api) -> None:
    client = await signed_in(api, "schedules")

    assert (await client.get(PAGE)).status_code == 403
