"""What happened over time, as the API and the command line tell it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifier.commands import app as command_line
from tests.api import Api, serving

STATISTICS = "/api/v1/statistics"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def items(api: Api, **query: str) -> list[dict[str, Any]]:
    while await api.stores.statistics.tally():
        pass
    answer = await api.client.get(STATISTICS, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["behind_seconds"] == 0
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_what_happened_is_told_by_step_type_and_priority(api: Api) -> None:
    assert await items(api) == []
    await api.send()
    await api.send(priority="high")
    await api.fail(await api.send())

    found = await items(api, step="day", since=_ago(days=2), before=_ago(days=-2))

    by_lane = {each["priority"]: each for each in found}
    assert {each["type"] for each in found} == {"email"}
    assert (by_lane["high"]["accepted"], by_lane["normal"]["accepted"]) == (1, 2)
    assert (by_lane["normal"]["attempts"], by_lane["normal"]["failed"]) == (1, 1)
    assert by_lane["normal"]["events"] == {"accept": 2, "claim": 1, "fail": 1}
    assert by_lane["normal"]["delivery_seconds"]["p95"] is None


async def test_a_key_is_told_of_its_service_alone_and_an_operator_of_all(api: Api) -> None:
    await api.send()
    api.client.headers.update(await api.headers("payments", "read"))
    assert await items(api, step="hour") == []
    refused = await api.client.get(STATISTICS, params={"service": "orders"})
    assert refused.status_code == 403

    api.client.headers.update(await api.headers("operators", "admin"))

    assert [each["accepted"] for each in await items(api, step="day")] == [1]
    assert len(await items(api, step="day", service="orders")) == 1
    assert await items(api, step="day", service="payments") == []


async def test_what_is_too_long_is_refused_at_its_parameter(api: Api) -> None:
    answer = await api.client.get(STATISTICS, params={"since": _ago(days=2)})

    assert answer.status_code == 422
    assert [each["parameter"] for each in answer.json()["errors"]] == ["since"]


async def test_the_command_line_tells_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await api.send()
    [told] = await items(api, step="hour")
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", api.stores.url)
    capsys.readouterr()

    assert await asyncio.to_thread(command_line.run, ["statistics", "--json"]) == 0

    [row] = json.loads(capsys.readouterr().out)
    assert (row["at"], row["type"], row["accepted"]) == (told["at"], "email", told["accepted"])


def _ago(*, days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()
