"""Who is let in, and how often."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from notifier.access import keys
from notifier.access.keys import ApiKey
from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.store.kit.database import Database
from tests.api import MAIL, PEPPER, PREFIX, Api, client_of, serving


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


def bearer(key: keys.PresentedKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.text}"}


async def status_with(api: Api, headers: dict[str, str], path: str = PREFIX) -> int:
    async with client_of(api.app) as client:
        answer = await client.get(path, headers=headers)
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code


async def test_a_key_is_needed(api: Api) -> None:
    good = await api.key("orders", "read")

    assert await status_with(api, bearer(good)) == 200
    assert await status_with(api, {}) == 401
    assert await status_with(api, {"Authorization": good.text}) == 401
    assert await status_with(api, {"Authorization": f"Basic {good.text}"}) == 401
    assert await status_with(api, {}, f"{PREFIX}?api_key={good.text}") == 401


async def test_a_wrong_secret_or_an_unknown_id_is_refused(api: Api) -> None:
    good = await api.key("orders", "read")
    wrong = f"ntf_{good.id}_{keys.mint().text.rsplit('_', 1)[1]}"

    assert await status_with(api, bearer(good)) == 200
    assert await status_with(api, {"Authorization": f"Bearer {wrong}"}) == 401
    assert await status_with(api, bearer(keys.mint())) == 401


async def test_an_expired_key_is_refused(api: Api) -> None:
    now = datetime.now(UTC)
    expired = await api.key("orders", "read", expires_at=now - timedelta(seconds=1))
    current = await api.key("orders", "read", expires_at=now + timedelta(hours=1))

    assert await status_with(api, bearer(expired)) == 401
    assert await status_with(api, bearer(current)) == 200


async def test_a_revoked_key_is_refused_within_five_seconds(api: Api) -> None:
    key = await api.key("orders", "read")
    assert await status_with(api, bearer(key)) == 200

    await api.services.keys.revoke(key.id)
    api.clock.ahead_s = 5

    assert await status_with(api, bearer(key)) == 401


async def test_a_key_is_looked_up_once_in_five_seconds(api: Api) -> None:
    asked: list[str] = []
    find = api.services.keys.find

    class Counting:
        async def find(self, id: str) -> ApiKey | None:
            asked.append(id)
            return await find(id)

        def __getattr__(self, name: str) -> Any:
            return getattr(api.services.keys, name)

    app = create_app(replace(api.services, keys=Counting()), ApiConfig(pepper=PEPPER))
    async with client_of(app) as client:
        client.headers.update(await api.headers("orders", "send"))
        statuses = [(await client.post(f"{PREFIX}/send", json=MAIL)).status_code for _ in range(5)]
        assert statuses == [202] * 5
        assert len(asked) == 1

        api.clock.ahead_s = 5
        await client.post(f"{PREFIX}/send", json=MAIL)
        assert len(asked) == 2


async def test_two_keys_of_one_service_work_side_by_side(api: Api) -> None:
    old, new = await api.key("orders", "read"), await api.key("orders", "read")

    assert [await status_with(api, bearer(each)) for each in (old, new)] == [200, 200]
    await api.services.keys.revoke(old.id)
    api.clock.ahead_s = 5
    assert [await status_with(api, bearer(each)) for each in (old, new)] == [401, 200]


async def test_a_scope_allows_what_it_says_and_no_more(api: Api) -> None:
    send, read, admin = [await api.headers("orders", each) for each in ("send", "read", "admin")]

    async def sends(headers: dict[str, str]) -> int:
        answer = await api.client.post(f"{PREFIX}/send", json=MAIL, headers=headers)
        return answer.status_code

    assert [await sends(each) for each in (send, read, admin)] == [202, 403, 202]
    assert [await status_with(api, each) for each in (send, read, admin)] == [403, 200, 200]


async def test_a_service_sees_its_own_notifications_only(api: Api) -> None:
    await api.send()
    others = await api.headers("payments", "read")

    assert (await api.client.get(PREFIX, headers=others)).json()["items"] == []
    assert (await api.client.get("/api/v1/account", headers=others)).json()["accepted"] == 0
    assert (await api.client.get("/api/v1/account")).json()["accepted"] == 1


async def test_the_rate_of_a_key_is_told_and_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, requests_per_minute=3) as api:
        answers = [await api.client.get(PREFIX) for _ in range(4)]

        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"default";q=3;w=60'
        assert answers[0].headers["ratelimit"].startswith('"default";r=2;t=')
        assert answers[3].headers["ratelimit"].startswith('"default";r=0;t=')
        assert 1 <= int(answers[3].headers["retry-after"]) <= 60
        assert answers[3].json()["code"] == "rate-limited"
        assert await status_with(api, await api.headers("orders", "read")) == 200


async def test_a_batch_counts_its_items(tmp_path: Path) -> None:
    async with serving(tmp_path, requests_per_minute=10) as api:

        async def send(items: int) -> tuple[int, str]:
            batch = {"notifications": [MAIL] * items}
            answer = await api.client.post(f"{PREFIX}/batch", json=batch)
            return answer.status_code, answer.headers["ratelimit"].partition(";t")[0]

        assert await send(4) == (202, '"default";r=6')
        assert await send(7) == (429, '"default";r=5')
        assert await send(5) == (202, '"default";r=0')
        assert (await api.services.queries.account(service="orders")).accepted == 9


async def test_a_batch_beyond_the_limit_takes_a_whole_minute(tmp_path: Path) -> None:
    async with serving(tmp_path, requests_per_minute=10) as api:
        batch = {"notifications": [MAIL] * 30}
        statuses = [
            (await api.client.post(f"{PREFIX}/batch", json=batch)).status_code for _ in range(2)
        ]
        assert statuses == [202, 429]


async def test_wrong_keys_are_slowed_down_and_good_ones_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path, failed_logins_per_minute=5) as api:
        good = await api.headers("orders", "read")
        assert await status_with(api, good) == 200

        statuses = [await status_with(api, bearer(keys.mint())) for _ in range(8)]
        assert statuses == [401] * 5 + [429] * 3

        api.clock.ahead_s = 10
        assert await status_with(api, good) == 200


async def test_however_many_are_refused_a_good_key_that_was_never_seen_is_let_in(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, failed_logins_per_minute=5) as api:
        await asyncio.gather(*(status_with(api, bearer(keys.mint())) for _ in range(20)))

        assert await status_with(api, await api.headers("orders", "read")) == 200


@pytest.mark.parametrize("authorization", [None, "Bearer ntf_short", "Basic YTpi", "Bearer "])
async def test_what_is_no_key_counts_for_nobody(tmp_path: Path, authorization: str | None) -> None:
    async with serving(tmp_path, failed_logins_per_minute=5) as api:
        headers = {} if authorization is None else {"Authorization": authorization}
        assert {await status_with(api, headers) for _ in range(10)} == {401}

        assert await status_with(api, bearer(keys.mint())) == 401


async def test_keys_that_are_tried_at_once_share_their_look_ups(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    read = Database.read

    async def counting(self: Database, work: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(self, work)

    monkeypatch.setattr(Database, "read", counting)
    answers = await asyncio.gather(*(status_with(api, bearer(keys.mint())) for _ in range(40)))

    assert set(answers) == {401}
    assert reads < 10


async def test_every_answer_has_a_request_id_and_takes_over_a_fit_one(api: Api) -> None:
    made = await api.client.get("/nowhere")
    taken = await api.client.get(PREFIX, headers={"X-Request-ID": "checkout-17.a_b"})
    unfit = await api.client.get(PREFIX, headers={"X-Request-ID": "a b\t" + "x" * 100})

    assert made.json()["instance"].endswith(made.headers["x-request-id"])
    assert taken.headers["x-request-id"] == "checkout-17.a_b"
    assert " " not in unfit.headers["x-request-id"]


async def test_the_log_holds_no_address_body_query_or_key(api: Api) -> None:
    key = await api.key("orders", "send", "read")
    with structlog.testing.capture_logs() as lines:
        await api.client.post(f"{PREFIX}/send", json=MAIL, headers=bearer(key))
        await api.client.get(f"{PREFIX}?recipient=anna@example.com")
        await api.client.get("/api/v1/inbox/anna@example.com")
        await api.client.get("/anna@example.com")
        await asyncio.sleep(0)

    requests = [each for each in lines if each["event"] == "http.request"]
    assert [each["route"] for each in requests] == [
        f"{PREFIX}/send",
        PREFIX,
        "/api/v1/inbox/{recipient}",
        "none",
    ]
    assert requests[0]["service"] == "orders"
    for secret in ("anna", MAIL["content"], key.text):
        assert secret not in str(lines)


async def test_a_failure_of_our_own_is_logged_without_its_words_and_told_without_its_cause(
    api: Api,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret words")

    object.__setattr__(api.services.queries, "get", fail)
    with structlog.testing.capture_logs() as lines:
        answer = await api.client.get(f"{PREFIX}/{keys_id()}")

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.text + str(lines)
    failed = next(each for each in lines if each["event"] == "http.failed")
    assert failed["error"] == "RuntimeError"
    assert any("reading.py" in each for each in failed["where"])


def keys_id() -> str:
    return "01a1f94b-c580-7674-83d7-380ee69d8aea"


async def test_more_requests_than_there_is_room_for_are_told_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path, max_concurrent_requests=1) as api:
        answers = await asyncio.gather(*(api.client.get(PREFIX) for _ in range(3)))

        assert sorted(each.status_code for each in answers) == [200, 503, 503]
        busy = next(each for each in answers if each.status_code == 503)
        assert busy.headers["retry-after"] == "1"
        assert (await api.client.get(PREFIX)).status_code == 200
