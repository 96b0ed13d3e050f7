"""Notifier's processes over HTTP: how each is, and draining one."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from notifier.audit import AuditFilter
from notifier.roster import Role, Seen, State
from tests.api import Api, serving
from tests.contract.store.test_roster import a_process
from tests.integration.test_api_providers import metrics

WORKERS = "/api/v1/workers"
NAME = "host:1:a"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, has_metrics=True, metrics_cache_s=0) as it:
        it.client.headers.update(await it.headers("operators", "admin"))
        yield it


async def beat(api: Api, name: str = NAME, role: Role = Role.WORKER, **told: object) -> bool:
    seen = {"state": State.RUNNING, "up_s": 5.0, "slots": 4, **told}
    return await api.stores.roster.beat(a_process(name, role), Seen(**seen))  # type: ignore[arg-type]  # of various types


async def test_every_process_shows_what_it_is_at(api: Api) -> None:
    id = uuid4()
    await beat(api, consumes=["email.high"], busy=1, attempts=[id], handled=7, restarts=3)
    await beat(api, "host:0:r", Role.RUNNER, slots=0)

    answer = await api.client.get(WORKERS, params={"limit": "1"})

    [runner] = answer.json()["items"]
    assert (runner["name"], runner["role"], runner["slots"]) == ("host:0:r", "runner", 0)
    [worker] = (await api.client.get(answer.json()["next"])).json()["items"]
    assert worker.pop("started_at") < worker.pop("beat_at")
    assert worker == {
        "name": NAME,
        "role": "worker",
        "host": "host",
        "pid": 1,
        "version": "1.0",
        "runner": "host:0:r",
        "state": "running",
        "is_late": False,
        "is_to_drain": False,
        "consumes": ["email.high"],
        "slots": 4,
        "busy": 1,
        "attempts": [str(id)],
        "handled": 7,
        "memory_bytes": 0,
        "restarts": 3,
    }


async def test_a_worker_is_drained_and_taken_back_and_both_are_audited(api: Api) -> None:
    await beat(api)

    drained = await api.client.post(f"{WORKERS}/{NAME}/drain")
    assert (drained.status_code, drained.json()) == (202, {"name": NAME, "is_to_drain": True})
    assert await beat(api) is True

    taken_back = await api.client.post(f"{WORKERS}/{NAME}/resume")
    assert (taken_back.status_code, taken_back.json()["is_to_drain"]) == (202, False)
    assert await beat(api) is False
    noted = await api.stores.audit.list(AuditFilter(), limit=5, after=None)
    assert [(each.act.action, each.act.target) for each in noted] == [
        ("resumeWorker", f"{WORKERS}/{NAME}/resume"),
        ("drainWorker", f"{WORKERS}/{NAME}/drain"),
    ]


async def test_what_cannot_be_drained_is_refused(api: Api) -> None:
    await beat(api, "host:0:r", Role.RUNNER)

    refused = await api.client.post(f"{WORKERS}/host:0:r/drain")

    assert (refused.status_code, refused.json()["code"]) == (409, "wrong-state")
    assert "it takes no notifications" in refused.json()["detail"]
    assert (await api.client.post(f"{WORKERS}/nobody/drain")).status_code == 404
    service = await api.headers("orders", "send", "read")
    assert (await api.client.get(WORKERS, headers=service)).status_code == 403
    assert (await api.client.post(f"{WORKERS}/{NAME}/drain", headers=service)).status_code == 403


async def test_metrics_count_processes_and_their_slots(api: Api) -> None:
    await beat(api, busy=3)
    await beat(api, "host:1:b", state=State.DRAINED)
    await beat(api, "host:0:r", Role.RUNNER, slots=0, restarts=7)

    found = await metrics(api)

    assert found["notifier_processes", "worker", "running"] == 1
    assert found["notifier_processes", "worker", "drained"] == 1
    assert found["notifier_processes", "worker", "late"] == 0
    assert found["notifier_worker_slots",] == 8
    assert found["notifier_worker_slots_busy",] == 3
    assert found["notifier_worker_restarts",] == 7
