"""Retention over HTTP: operators say how long notifications are kept."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api import Api, serving

RETENTION = "/api/v1/retention"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("operators", "admin"))
        yield it


async def test_an_operator_sets_shows_and_removes_a_rule(api: Api) -> None:
    path = f"{RETENTION}?service=orders&type=in-app"
    answer = await api.client.put(path, json={"content_days": 7, "rows_days": 90})

    assert answer.status_code == 200
    rule = answer.json()
    assert {**rule, "updated_at": None} == {
        "service": "orders", "type": "in_app", "content_days": 7, "rows_days": 90,
        "updated_at": None,
    }  # fmt: skip
    assert (await api.client.get(RETENTION)).json() == {
        "defaults": {"content_days": None, "rows_days": None},
        "items": [rule],
    }
    assert (await api.client.delete(path)).status_code == 204
    assert (await api.client.delete(path)).status_code == 404


async def test_a_rule_without_a_channel_is_for_all_that_have_none(api: Api) -> None:
    await api.client.put(f"{RETENTION}?service=orders", json={"content_days": 7})

    (rule,) = (await api.client.get(RETENTION)).json()["items"]
    assert (rule["type"], rule["content_days"], rule["rows_days"]) == (None, 7, None)


async def test_rows_are_not_to_go_while_something_may_ask_for_them(api: Api) -> None:
    answer = await api.client.put(f"{RETENTION}?service=orders", json={"rows_days": 6})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/rows_days"


async def test_only_operators_say_how_long_is_kept(api: Api) -> None:
    headers = await api.headers("orders", "send", "read")

    assert (await api.client.get(RETENTION, headers=headers)).status_code == 403
