"""Who changed what, as the API, the console and commands note and tell it."""

import asyncio
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from notifier.api.kit.operations import Operation
from notifier.api.kit.serving import _Endpoint
from notifier.commands import app as command_line
from notifier.notification.model import Channel
from tests.api import MAIL, PREFIX, Api, serving
from tests.console import signed_in

AUDIT = "/api/v1/audit"
PAUSE = "/api/v1/providers/smtp/pause"
NOT_NOTED = {"sendNotification", "sendBatch", "publishEvents", "makeInboxToken"}
"""What changes something and is daily traffic, besides marks in inboxes."""
ROUTES = {Channel.EMAIL: ("smtp",)}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, routes=ROUTES) as it:
        it.client.headers.update(await it.headers("operators", "admin"))
        yield it


async def entries(api: Api, **query: str) -> list[dict[str, Any]]:
    answer = await api.client.get(AUDIT, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_change_by_the_api_is_told_with_its_key_and_request(api: Api) -> None:
    key = await api.key("operators", "admin")
    headers = {"Authorization": f"Bearer {key.text}", "X-Request-Id": "r-17"}

    with capture_logs() as lines:
        await api.client.post(PAUSE, json={"reason": "maintenance"}, headers=headers)

    [entry] = await entries(api, action="pauseProvider")
    assert {**entry, "id": "", "at": ""} == {
        "id": "",
        "at": "",
        "via": "api",
        "actor": key.id,
        "service": "operators",
        "action": "pauseProvider",
        "target": PAUSE,
        "source": "127.0.0.1",
        "request_id": "r-17",
        "outcome": "done",
    }
    [line] = [each for each in lines if each["event"] == "http.request"]
    assert line["key_id"] == key.id


async def test_a_change_that_is_refused_is_no_change_done(api: Api) -> None:
    answer = await api.client.post(f"{PREFIX}/{uuid4()}/cancel")

    assert answer.status_code == 404
    assert [each["outcome"] for each in await entries(api)] in ([], ["refused"])


async def test_a_change_that_comes_again_is_told_as_such(api: Api) -> None:
    id = await api.send()
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = await api.client.post(f"{PREFIX}/{id}/cancel", headers=headers)
        assert answer.status_code == 200, answer.text

    told = [each["outcome"] for each in await entries(api, action="cancelNotification")]
    assert told == ["repeated", "done"]


async def test_whoever_is_named_in_a_path_is_a_hash_that_stays_the_same(api: Api) -> None:
    for _ in range(2):
        await api.client.put("/api/v1/recipients/ada%2Fb", json={"locale": "de"})
    await api.client.put("/api/v1/recipients/bob", json={"locale": "de"})

    bob, second, first = [each["target"] for each in await entries(api, action="putRecipient")]
    assert first == second != bob
    assert "ada" not in first
    assert first.startswith("/api/v1/recipients/")


async def test_what_is_sent_and_what_is_read_is_not_noted(api: Api) -> None:
    await api.client.post(f"{PREFIX}/send", json=MAIL)
    await api.client.get(PREFIX)

    assert await entries(api) == []


async def test_all_other_operations_that_change_something_are_noted(api: Api) -> None:
    changing = {each.id for each in operations(api) if each.scope and each.method != "GET"}
    noted = {each.id for each in operations(api) if each.is_audited}

    assert "pauseProvider" in noted
    assert {id for id in changing - noted if "Inbox" not in id or "Token" in id} == NOT_NOTED


def operations(api: Api) -> list[Operation]:
    by_paths = (getattr(route, "endpoint", None) for route in api.app.routes)
    return [
        operation
        for endpoint in by_paths
        if isinstance(endpoint, _Endpoint)
        for operation in endpoint._by_method.values()  # noqa: SLF001  all that is served
    ]


async def test_only_admins_may_look(api: Api) -> None:
    headers = await api.headers("orders", "read")

    assert (await api.client.get(AUDIT, headers=headers)).status_code == 403


async def test_pages_lead_through_all_of_it(api: Api) -> None:
    for _ in range(3):
        await api.client.post(PAUSE, json={"reason": "maintenance"})
    first = (await api.client.get(AUDIT, params={"limit": "2"})).json()
    second = (await api.client.get(first["next"])).json()

    ids = [each["id"] for each in first["items"] + second["items"]]
    assert len(set(ids)) == 3 == len(ids)
    assert second["next"] is None


async def test_the_console_shows_it(api: Api) -> None:
    console = await signed_in(api, "admin", service="operators")
    await api.client.post(PAUSE, json={"reason": "maintenance"})

    page = unescape((await console.get("/console/audit", params={"action": "pauseProvider"})).text)
    assert PAUSE in page
    none = (await console.get("/console/audit", params={"actor": "nobody"})).text
    assert "Nothing was changed that matches this." in none
    assert (await console.get("/console/audit", params={"after": "x"})).status_code == 404


async def test_a_command_is_noted_with_who_ran_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", api.stores.url)
    monkeypatch.setenv("LOGNAME", "ada")
    assert await asyncio.to_thread(command_line.run, ["providers", "pause", "smtp"]) == 0
    assert await asyncio.to_thread(command_line.run, ["providers", "list"]) == 0

    [entry] = await entries(api)
    told = {name: entry[name] for name in ("via", "actor", "service", "action", "target")}
    assert told == {
        "via": "command",
        "actor": "ada",
        "service": None,
        "action": "providers pause",
        "target": "smtp",
    }
