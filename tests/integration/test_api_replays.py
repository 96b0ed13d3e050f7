"""Dead letters and replays over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from notifier.notification.model import Status
from notifier.notification.transitions import FAIL
from tests.api import Api, serving
from tests.contract.store.stores import a_submission

GROUPS = "/api/v1/dead-letters/groups"
DISCARD = "/api/v1/dead-letters/discard"
REPLAYS = "/api/v1/replays"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "send", "read"))
        yield it


async def fail(api: Api, count: int, service: str = "orders") -> list[UUID]:
    return [(await api.stores.ended(FAIL, a_submission(service=service))).id for _ in range(count)]


async def test_a_service_sees_the_groups_of_its_own_letters(api: Api) -> None:
    await fail(api, 2)
    await fail(api, 1, "billing")

    found = (await api.client.get(GROUPS)).json()

    assert (found["selected"], found["replayable"], found["is_part"]) == (2, 2, False)
    (group,) = found["groups"]
    assert (group["service"], group["type"], group["provider"]) == ("orders", "email", "smtp")
    assert (group["error_code"], group["count"]) == ("421", 2)
    assert (await api.client.get(GROUPS, params={"error_code": "550"})).json()["groups"] == []
    named = await api.client.get(GROUPS, params={"service": "billing"})
    assert named.status_code == 403


async def test_a_dry_run_says_what_a_replay_would_come_to_and_does_nothing(api: Api) -> None:
    (id, _) = await fail(api, 2)

    answer = await api.client.post(REPLAYS, json={"ids": [str(id)], "dry_run": True})

    assert answer.status_code == 200
    assert (answer.json()["selected"], answer.json()["replayable"]) == (1, 1)
    assert (await api.client.get(REPLAYS)).json()["items"] == []


async def test_a_replay_is_begun_worked_off_shown_and_undone(api: Api) -> None:
    first, second = await fail(api, 2)
    headers = {"Idempotency-Key": "mended"}
    answer = await api.client.post(REPLAYS, json={"error_code": "421"}, headers=headers)
    again = await api.client.post(REPLAYS, json={"error_code": "421"}, headers=headers)
    assert (answer.status_code, answer.json()["expected"]) == (202, 2)
    assert again.json() == answer.json()
    at = answer.headers["Location"]

    while await api.stores.replaying.step(500):
        pass

    shown = (await api.client.get(at)).json()
    assert (shown["state"], shown["counts"]["replayed"]) == ("done", 2)
    assert shown["by_status"] == {"pending": 2, "sent": 0, "failed": 0, "other": 0}
    (listed,) = (await api.client.get(REPLAYS)).json()["items"]
    assert (listed["id"], listed["filter"]["error_code"]) == (shown["id"], "421")
    timeline = (await api.client.get(f"/api/v1/notifications/{first}/status")).json()["history"]
    assert timeline[-1]["note"] == f"replay {shown['id']}"
    assert (await api.client.post(f"{at}/resume")).status_code == 409

    assert (await api.client.post(f"{at}/undo")).status_code == 200
    while await api.stores.replaying.undo(500):
        pass

    assert (await api.client.get(at)).json()["state"] == "undone"
    assert await api.stores.status(second) is Status.FAILED


async def test_another_services_replay_is_not_there(api: Api) -> None:
    at = (await api.client.post(REPLAYS, json={})).headers["Location"]
    others = await api.headers("billing", "send", "read")

    assert (await api.client.get(at, headers=others)).status_code == 404
    assert (await api.client.post(f"{at}/stop", headers=others)).status_code == 404


async def test_discarded_letters_are_in_no_group(api: Api) -> None:
    gone, _ = await fail(api, 2)

    answer = await api.client.post(DISCARD, json={"ids": [str(gone)], "reason": "a test"})

    assert answer.json() == {"discarded": 1}
    assert (await api.client.get(GROUPS)).json()["selected"] == 1
    both = await api.client.get(GROUPS, params={"with_discarded": "true"})
    assert both.json()["selected"] == 2
    assert (await api.client.post(DISCARD, json={"ids": [str(gone)]})).status_code == 422
