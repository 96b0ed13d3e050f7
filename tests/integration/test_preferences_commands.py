"""What people want, said by the command line against an API that listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from tests.api import Api, listening, serving

Run: TypeAlias = Callable[[str], Awaitable[tuple[int, str, str]]]

NEWS = {"kind": "marketing", "titles": {"en": "News"}}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as api:
        api.client.headers.update(await api.headers("orders", "recipients", "templates"))
        there = [
            await api.client.put("/api/v1/categories/news", json=NEWS),
            await api.client.put("/api/v1/recipients/u-7", json={"time_zone": "Europe/Vienna"}),
        ]
        assert all(each.is_success for each in there), [each.text for each in there]
        yield api


@pytest.fixture
async def run(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    async with listening(api.app) as (_, url):
        monkeypatch.setenv("NOTIFIER_URL", url)
        key = api.client.headers["Authorization"].removeprefix("Bearer ")
        monkeypatch.setenv("NOTIFIER_API_KEY", key)

        async def run(line: str) -> tuple[int, str, str]:
            capsys.readouterr()
            with capture_logs():
                code = await asyncio.to_thread(app.run, line.split())
            return (code, *capsys.readouterr())

        yield run


async def is_on(run: Run) -> dict[str, bool]:
    _, printed, _ = await run("preferences show u-7 --json")
    return {row["channel"]: row["is_on"] for row in json.loads(printed)}


async def test_a_category_is_chosen_and_the_choice_taken_back(run: Run) -> None:
    everything = await is_on(run)

    assert (await run("preferences choose u-7 news off --channel email"))[0] == 0
    assert await is_on(run) == {**everything, "email": False}

    assert (await run("preferences choose u-7 news off"))[0] == 0
    assert not any((await is_on(run)).values())

    assert (await run("preferences choose u-7 news default"))[0] == 0
    assert (await run("preferences choose u-7 news default --channel email"))[0] == 0
    assert await is_on(run) == everything


async def test_a_category_that_nobody_declared_cannot_be_chosen(run: Run) -> None:
    code, _, told = await run("preferences choose u-7 olds off")

    assert code != 0
    assert "no such category" in told


async def test_quiet_hours_are_somebodys_own_or_the_services(run: Run) -> None:
    assert (await run("categories quiet-hours 23:00-06:00 --on sat --on sun"))[0] == 0
    _, of_service, _ = await run("preferences show u-7")
    assert (await run("preferences quiet-hours u-7 22:00-07:00"))[0] == 0
    _, own, _ = await run("preferences show u-7")
    assert (await run("preferences quiet-hours u-7 none"))[0] == 0
    _, again, _ = await run("preferences show u-7")

    assert "23:00-06:00, those of the service, by the clocks of Europe/Vienna" in of_service
    assert "22:00-07:00, their own" in own
    assert again == of_service


async def test_hours_that_are_none_are_refused_with_an_example(run: Run) -> None:
    code, _, told = await run("preferences quiet-hours u-7 night")

    assert code != 0
    assert "22:00-07:00" in told


async def test_nobody_of_that_id_is_told_so(run: Run) -> None:
    code, _, told = await run("preferences show nobody")

    assert code != 0
    assert "there is nobody of this id" in told
