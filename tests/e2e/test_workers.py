"""Workers in production: what they say of themselves, killed ones, and draining, with a broker."""

import os
import signal
from collections import Counter
from typing import Any

from tests.e2e.client import MAIL, Service
from tests.e2e.production import PROCESSES, Production
from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until

WORKERS = "/api/v1/workers"
QUEUE = "email_notifications"


def processes(operator: Service, role: str) -> list[dict[str, Any]]:
    """Those that run, as the API shows them; an earlier test may have killed others."""
    found = operator.get(WORKERS, limit=200)["items"]
    heard_of = [each for each in found if each["state"] != "stopped" and not each["is_late"]]
    return [each for each in heard_of if each["role"] == role]


def await_state(operator: Service, name: str, state: str) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    def is_so() -> bool:
        seen.extend(each for each in operator.get(WORKERS, limit=200)["items"])
        return any(each["name"] == name and each["state"] == state for each in seen[-200:])

    wait_until(is_so, timeout_s=AT_ALL_S, what=f"{name} {state}")
    return next(each for each in reversed(seen) if each["name"] == name)


def running_workers(operator: Service) -> list[dict[str, Any]]:
    """Wait until all workers run, and what was killed before is late."""
    found: list[dict[str, Any]] = []

    def all_run() -> bool:
        found[:] = [each for each in processes(operator, "worker") if each["state"] == "running"]
        return len(found) == PROCESSES

    wait_until(all_run, timeout_s=AT_ALL_S, what=f"{PROCESSES} running workers")
    return found


def test_every_process_stands_in_the_roster_and_a_killed_one_is_told_of_at_once(
    deployed: Production,
) -> None:
    operator = deployed.service("operators", "admin")
    workers = running_workers(operator)
    [runner] = processes(operator, "runner")
    assert "running" in {each["state"] for each in processes(operator, "api")}
    assert {each["runner"] for each in workers} == {runner["name"]}
    assert all(each["slots"] and "email.high" in each["consumes"] for each in workers)
    killed = workers[0]

    os.kill(killed["pid"], signal.SIGKILL)

    assert await_state(operator, killed["name"], "stopped")["attempts"] == []
    before = {each["name"] for each in workers}
    [after] = [each for each in running_workers(operator) if each["name"] not in before]
    assert after["restarts"] > 0
    wait_until(
        lambda: processes(operator, "runner")[0]["restarts"] == runner["restarts"] + 1,
        timeout_s=AT_ALL_S,
        what="a counted restart",
    )


def test_what_drained_workers_leave_is_kept_and_sent_once_when_one_is_taken_back(
    deployed: Production,
) -> None:
    operator, service = deployed.service("operators", "admin"), deployed.service("draining")
    one, other = (each["name"] for each in running_workers(operator))

    def consumers() -> int:
        with deployed.outside.witness() as witness:
            return witness.consumers(QUEUE)

    wait_until(lambda: consumers() > 0, timeout_s=AT_ALL_S, what="consumers")
    before = consumers()
    assert operator.post(f"{WORKERS}/{one}/drain").status_code == 202
    await_state(operator, one, "drained")
    assert consumers() == before // PROCESSES

    ids = service.send_batch([MAIL] * 50)
    deployed.run("workers", "drain", other)
    await_state(operator, other, "drained")
    assert consumers() == 0
    ids += service.send_batch([MAIL] * 50)

    deployed.run("workers", "resume", one)

    assert service.await_settled(100) == {"sent": 100}
    assert Counter(deployed.outside.mailed()) == Counter(ids)
    assert consumers() == before // PROCESSES
    assert operator.post(f"{WORKERS}/{other}/resume").status_code == 202
    assert len(running_workers(operator)) == PROCESSES
