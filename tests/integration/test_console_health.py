"""Health in the console: the page at once, then every part and what to do."""

from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.api.ports import WatchingPorts
from notifier.checkup import Finding, Part, State
from tests.api import PEPPER, Api, serving
from tests.console import signed_in, text_of

HEALTH = "/console/health"
PARTS = f"{HEALTH}/parts"
REFUSED = Finding(State.WRONG, "535 Authentication failed", "see NOTIFIER_SMTP__PASSWORD")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


def finding(api: Api, *parts: Part) -> Api:
    """The API of a notifier whose parts are found like this."""

    async def examine() -> tuple[Part, ...]:
        return parts

    watching = WatchingPorts(api.services.watching.roster, examine)
    services = replace(api.services, watching=watching)
    return replace(api, app=create_app(services, ApiConfig(pepper=PEPPER)))


async def test_the_page_is_there_before_any_part_was_looked_at(api: Api) -> None:
    async def examine() -> tuple[Part, ...]:
        raise AssertionError("the page waits for nobody")

    watching = WatchingPorts(api.services.watching.roster, examine)
    services = replace(api.services, watching=watching)
    slow = replace(api, app=create_app(services, ApiConfig(pepper=PEPPER)))

    page = await (await signed_in(slow, "admin")).get(HEALTH)

    assert page.status_code == 200
    assert 'hx-trigger="load"' in page.text
    assert '<a class="button first" href="/console/health/parts">Look</a>' in unescape(page.text)


async def test_what_is_wrong_comes_first_with_what_to_do(api: Api) -> None:
    found = finding(
        api,
        Part(name="database", finding=Finding(State.FINE, "its schema is there"), took_s=0.002),
        Part(name="email by smtp", finding=REFUSED, took_s=1.5),
    )

    page = await (await signed_in(found, "admin")).get(PARTS)

    text = text_of(page)
    assert "1 of 2 parts is wrong" in text
    assert text.index("535 Authentication failed") < text.index("its schema is there")
    assert "see NOTIFIER_SMTP__PASSWORD" in text
    assert ("took 1.5 s" in text, "took 2 ms" in text) == (True, True)


async def test_a_script_gets_the_parts_alone_as_the_api_has_them(api: Api) -> None:
    client = await signed_in(api, "admin")

    part = await client.get(PARTS, headers={"HX-Request": "true"})

    assert part.text.startswith('<section id="parts"')
    assert "No part is wrong" in part.text
    headers = await api.headers("operators", "admin")
    names = (await api.client.get("/api/v1/health/parts", headers=headers)).json()["parts"]
    assert [each["name"] for each in names if each["name"] not in part.text] == []


async def test_health_is_for_operators(api: Api) -> None:
    client = await signed_in(api, "read")

    assert (await client.get(HEALTH)).status_code == 403
    assert (await client.get(PARTS)).status_code == 403
