"""The overview of the console, without a browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifier.errors import StoreUnavailableError
from notifier.notification.model import Channel
from notifier.notification.statistics import StatisticsFilter, Tally
from tests.api import Api, serving
from tests.console import signed_in

OVERVIEW = "/console/overview"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, routes={Channel.EMAIL: ("smtp",)}) as it:
        yield it


async def test_the_console_begins_with_how_it_goes(api: Api) -> None:
    await api.send()
    await api.fail(await api.send())
    await api.stores.statistics.tally()
    client = await signed_in(api, "admin")

    assert (await client.get("/console")).headers["location"] == OVERVIEW
    page = (await client.get(OVERVIEW)).text

    assert "2 accepted = 1 " in page
    assert page.count("<polyline") == 3
    assert "under 0.01" in page
    assert "email_notifications" in page
    assert '<span class="state closed">closed</span>' in page


async def test_a_service_sees_its_own_and_neither_queues_nor_providers(api: Api) -> None:
    await api.send()
    await api.stores.statistics.tally()
    client = await signed_in(api, "read", service="payments")

    page = (await client.get(OVERVIEW)).text

    assert "0 accepted = 0 " in page
    assert "smtp" not in page
    assert "email_notifications" not in page


async def test_a_script_gets_the_figures_alone(api: Api) -> None:
    client = await signed_in(api, "admin")

    part = (await client.get(OVERVIEW, headers={"HX-Request": "true"})).text

    assert part.startswith('<section id="now"')


async def test_what_does_not_answer_is_said_and_the_rest_is_shown(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_self: object, _filter: StatisticsFilter) -> list[Tally]:
        raise StoreUnavailableError("it is away")

    monkeypatch.setattr(type(api.stores.statistics), "list", away)
    client = await signed_in(api, "admin")

    page = (await client.get(OVERVIEW)).text

    assert "The database does not answer" in page
    assert "0 accepted = 0 " in page
