"""User ids are held to one rule at every door."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from tests.api import MAIL, Api, serving

ODD = "ada\u202e"
PATH = quote(ODD, safe="")
TEXT = {"content": "It is on its way."}
NAMED: tuple[tuple[str, str, Any], ...] = (
    ("GET", f"recipients/{PATH}", None),
    ("PUT", f"recipients/{PATH}", {}),
    ("PATCH", f"recipients/{PATH}", {}),
    ("DELETE", f"recipients/{PATH}", None),
    ("POST", f"recipients/{PATH}/merge", {"from": "u-8"}),
    ("POST", "recipients/u-7/merge", {"from": ODD}),
    ("POST", f"recipients/{PATH}/erase", {"reason": "user_request"}),
    ("POST", f"recipients/{PATH}/explain", {"channel": "email"}),
    ("GET", f"recipients/{PATH}/preferences", None),
    ("PATCH", f"recipients/{PATH}/preferences", {}),
    ("GET", f"recipients/{PATH}/preferences/history", None),
    ("POST", "recipients/batch", {"recipients": [{"user_id": ODD}]}),
    ("PUT", "topics/news/members", {"members": [{"user_id": ODD}]}),
    ("DELETE", "topics/news/members", {"user_ids": [ODD]}),
    ("GET", f"topics/news/members?after={PATH}", None),
    (
        "POST",
        "broadcasts",
        {"type": "email", "template": "news", "topic": "news", "exclude": [ODD]},
    ),
    ("POST", "notifications/send", {**MAIL, "user_id": ODD}),
    ("POST", "notifications/send", {**TEXT, "type": "in_app", "recipient": ODD}),
    (
        "POST",
        "notifications/batch",
        {"notifications": [{**TEXT, "type": "in_app", "recipient": ODD}]},
    ),
    ("GET", f"notifications?user_id={PATH}", None),
    ("GET", f"inbox/{PATH}", None),
    ("POST", f"inbox/{PATH}/read", None),
    ("GET", f"inbox/{PATH}/stream", None),
    ("POST", "inbox/tokens", {"recipient": ODD}),
    ("POST", "suppressions", {"type": "in_app", "recipient": ODD}),
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, default_zone=ZoneInfo("Europe/Vienna")) as it:
        scopes = ("send", "read", "recipients", "broadcasts", "admin")
        it.client.headers.update(await it.headers("orders", *scopes))
        assert (await it.client.put("/api/v1/topics/news", json={"title": "News"})).is_success
        yield it


async def test_no_door_takes_an_id_that_cannot_be_seen_and_each_says_why(api: Api) -> None:
    for method, path, body in NAMED:
        answer = await api.client.request(method, f"/api/v1/{path}", json=body)

        assert "U+202E (right-to-left override) at character 4" in answer.text, (path, answer.text)
        assert answer.status_code == 422, path
        assert "ada" not in answer.text, path


async def test_somebody_whose_id_has_a_slash_is_erased_by_it(api: Api) -> None:
    await api.client.put("/api/v1/recipients/user%2F7", json={})

    answer = await api.client.post(
        "/api/v1/recipients/user%2F7/erase", json={"reason": "user_request"}
    )

    assert answer.status_code == 202


@pytest.mark.parametrize("path", ["user%1F7", "a%2Fb%1Fc", "jos%E9"])
async def test_nobody_is_found_by_another_way_to_write_an_id(api: Api, path: str) -> None:
    for id in ("user%2F7", "a%2Fb%2Fc"):
        await api.client.put(f"/api/v1/recipients/{id}", json={})

    answer = await api.client.get(f"/api/v1/recipients/{path}")

    assert answer.status_code == 422


async def test_who_has_no_zone_is_told_the_default_one(api: Api) -> None:
    await api.client.put("/api/v1/recipients/u-7", json={})

    shown = (await api.client.get("/api/v1/recipients/u-7/preferences")).json()

    assert shown["time_zone"] == "Europe/Vienna"
