"""What operators ask, also while the database or the broker is away."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.errors import QueueUnavailableError
from notifier.notification.model import Channel, Status
from notifier.notification.queueing import Queue, QueueDepth
from notifier.store.kit.database import ANSWER_TIMEOUT_S
from notifier.store.notification import accounting
from tests.api import MAIL, PEPPER, PREFIX, SMS, Api, client_of, over, serving
from tests.awake import AwakeClock


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


class AwayQueue:
    """A broker that refuses, or that never answers."""

    def __init__(self, inner: Queue, *, hangs: bool) -> None:
        self._inner = inner
        self._hangs = hangs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def depths(self) -> Sequence[QueueDepth]:
        return await self._fail()

    async def ping(self) -> None:
        await self._fail()

    async def _fail(self) -> Sequence[QueueDepth]:
        if self._hangs:
            await asyncio.Event().wait()
        raise QueueUnavailableError("it is away")


def without_broker(api: Api, *, hangs: bool = False) -> httpx2.AsyncClient:
    queue = AwayQueue(api.queue, hangs=hangs)
    # The database has to answer within it.
    config = ApiConfig(pepper=PEPPER, probe_timeout_s=1)
    client = client_of(create_app(replace(api.services, queue=queue), config))
    client.headers.update(api.client.headers)
    return client


@asynccontextmanager
async def silent_database() -> AsyncIterator[Api]:
    """The API over a database that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with over(f"postgresql://nobody@127.0.0.1:{port}/none") as api:
            yield api


async def test_the_account_counts_every_status_and_balances(api: Api) -> None:
    failed, cancelled = await api.send(), await api.send()
    await api.send(priority="high")
    await api.fail(failed)
    await api.client.post(f"{PREFIX}/{cancelled}/cancel")
    await api.publisher.drain(5)

    account = (await api.client.get("/api/v1/account")).json()

    assert account["accepted"] == 3
    assert account["balanced"]
    assert account["by_status"].keys() == set(Status)
    present = {status: count for status, count in account["by_status"].items() if count}
    assert present == {"pending": 1, "failed": 1, "cancelled": 1}
    assert account["queues"]["email_notifications.high"] == 1
    assert account["queues_problem"] is None


async def test_the_account_of_many_leads_to_that_of_those_before(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "ACCOUNTED", 2)
    for _ in range(5):
        await api.send()

    path, counted = "/api/v1/account", []
    while path:
        account = (await api.client.get(path)).json()
        assert account["balanced"]
        counted.append(account["accepted"])
        path = account["next"]

    assert counted == [2, 2, 1]


async def test_an_admins_account_is_of_all_services(api: Api) -> None:
    await api.send()
    others = await api.headers("payments", "send")
    await api.client.post(f"{PREFIX}/send", json=SMS, headers=others)
    admin = await api.headers("operators", "admin")

    assert (await api.client.get("/api/v1/account", headers=admin)).json()["accepted"] == 2


@pytest.mark.parametrize("hangs", [False, True])
async def test_without_the_broker_notifications_are_accepted_and_it_is_told(
    api: Api,
    hangs: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async with without_broker(api, hangs=hangs) as client:
        assert (await client.post(f"{PREFIX}/send", json=MAIL)).status_code == 202

        account = await client.get("/api/v1/account")
        assert account.status_code == 200
        assert account.json()["queues"] is None
        problem = "the broker does not answer" if hangs else "it is away"
        assert account.json()["queues_problem"] == problem

        ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "degraded"
        assert ready.json()["broker"] == {"ok": False, "problem": problem}


async def test_it_is_ready_with_both(api: Api) -> None:
    async with client_of(api.app) as anybody:
        assert (await anybody.get("/healthz")).json() == {"status": "alive"}
        assert (await anybody.get("/readyz")).json() == {
            "status": "ready",
            "database": {"ok": True, "problem": None},
            "broker": {"ok": True, "problem": None},
            "channels": {channel: {"ok": True, "problem": None} for channel in Channel},
            "clock": {"ok": True, "problem": None},
        }


async def test_without_the_database_it_says_so_in_time(awake: AwakeClock) -> None:
    async with silent_database() as api:
        key = "Bearer ntf_" + "a" * 16 + "_" + "b" * 43
        started_s = awake.monotonic_s()
        answers = await asyncio.gather(
            api.client.post(f"{PREFIX}/send", json=MAIL, headers={"Authorization": key}),
            api.client.get("/api/v1/account", headers={"Authorization": key}),
            api.client.get("/readyz"),
            api.client.get("/healthz"),
        )

        assert awake.monotonic_s() - started_s < 2 * ANSWER_TIMEOUT_S
        assert [each.status_code for each in answers] == [503, 503, 503, 200]
        assert all(int(each.headers["retry-after"]) > 0 for each in answers[:3])
        assert answers[0].json()["code"] == "unavailable"
        assert answers[2].json()["status"] == "unavailable"


async def test_an_old_schema_is_no_readiness(tmp_path: Path) -> None:
    async with over(f"sqlite:///{tmp_path / 'empty.db'}") as api:
        answer = await api.client.get("/readyz")

    assert answer.status_code == 503
    assert "db upgrade" in answer.json()["database"]["problem"]


async def test_the_pages_need_no_key_and_nothing_from_elsewhere(api: Api) -> None:
    async with client_of(api.app) as anybody:
        for path in ("/docs", "/sandbox"):
            page = await anybody.get(path)
            policy = page.headers["content-security-policy"]
            assert page.status_code == 200
            assert "script-src 'self'" in policy
            assert "script-src 'self' " not in policy
            assert "http" not in policy
            sources = set(page.text.split('"')) & {
                each for each in page.text.split('"') if each.startswith("static/")
            }
            assert sources
            for source in sources:
                asset = await anybody.get(f"/{source}")
                assert asset.status_code == 200
                assert asset.headers["cache-control"] == "no-cache"
                assert asset.headers["etag"]


async def test_the_sandbox_shows_what_was_captured_but_nothing_sensitive(api: Api) -> None:
    for number in range(3):
        await api.capture(f"text {number}")
    await api.capture("OTP-7F3A", sensitive=True)

    answer = await api.client.get("/api/v1/sandbox/messages?limit=2&type=email")

    first = answer.json()
    assert [each["text"] for each in first["items"]] == [None, "text 2"]
    assert first["items"][0]["sensitive"]
    rest = (await api.client.get(first["next"])).json()
    assert [each["text"] for each in rest["items"]] == ["text 1", "text 0"]
    assert rest["next"] is None
    assert "7F3A" not in answer.text
    none = await api.client.get("/api/v1/sandbox/messages?type=sms")
    assert none.json()["items"] == []


async def test_one_capture_is_shown_with_its_source_but_for_a_sensitive_one(api: Api) -> None:
    await api.capture("text", source=b"Subject: Hi\r\n\r\ntext")
    await api.capture("OTP-7F3A", sensitive=True, source=b"Subject: 7F3A\r\n\r\n")
    listing = (await api.client.get("/api/v1/sandbox/messages")).json()["items"]
    secret, open_one = [
        await api.client.get(f"/api/v1/sandbox/messages/{each['seq']}") for each in listing
    ]

    assert open_one.json()["source"] == "Subject: Hi\r\n\r\ntext"
    assert open_one.json()["template"] is None
    assert secret.json()["source"] is None
    assert "7F3A" not in secret.text
    for seq in (10**6, 2**63, 10**30):
        missing = await api.client.get(f"/api/v1/sandbox/messages/{seq}")
        assert missing.status_code == 404
        assert missing.json()["code"] == "not-found"


async def test_captures_are_searched_for(api: Api) -> None:
    await api.capture("The blue one")
    await api.capture("The red one")

    found = await api.client.get("/api/v1/sandbox/messages", params={"words": "BLUE"})

    assert [each["text"] for each in found.json()["items"]] == ["The blue one"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"])
async def test_the_sandbox_is_not_served_under_a_name_of_anybodys(api: Api, host: str) -> None:
    async with client_of(api.app) as anybody:
        for path in ("/sandbox", "/api/v1/sandbox/messages", "/api/v1/sandbox/messages/1"):
            refused = await anybody.get(path, headers={"Host": host})
            assert refused.status_code == 421
            assert refused.json()["code"] == "unknown-host"
            seen = await anybody.get(path, headers={"Host": "127.0.0.1:8000"})
            assert seen.status_code in {200, 404}


async def test_the_door_leads_people_to_the_console_and_programs_everywhere(api: Api) -> None:
    async with client_of(api.app) as anybody:
        browser = await anybody.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
        program = await anybody.get("/")

        assert (browser.status_code, browser.headers["location"]) == (303, "/console")
        assert program.json()["name"] == "notifier"
        for link in ("docs", "openapi", "health", "readiness"):
            assert (await anybody.get(program.json()[link])).status_code == 200


async def test_without_captures_there_is_no_sandbox(api: Api) -> None:
    services = replace(api.services, captures=None)
    async with client_of(create_app(services, ApiConfig(pepper=PEPPER))) as client:
        for path in ("/sandbox", "/api/v1/sandbox/messages"):
            assert (await client.get(path)).status_code == 404
        assert "/sandbox" not in (await client.get("/openapi.json")).json()["paths"]


async def test_the_apps_own_lifespan_is_entered_and_left(api: Api) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        seen.append("in")
        yield
        seen.append("out")

    app = create_app(api.services, ApiConfig(pepper=PEPPER), lifespan)
    with TestClient(app) as client:
        assert client.get("/healthz").status_code == 200
        assert seen == ["in"]
    assert seen == ["in", "out"]
