import os
import signal
from collections import Counter

from notifier.store.kit.database import ANSWER_TIMEOUT_S
from tests.awake import AwakeClock
from tests.e2e.client import IN_APP, MAIL, PREFIX, SMS, Service
from tests.e2e.load import Load
from tests.e2e.processes import await_gone, children_of, workers_of
from tests.e2e.production import PROCESSES, Production
from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until

SLOTS = 16
"""How many mails a worker process hands over at once."""
LEASE_S = 60
"""What a killed one has claimed would be its own for so long."""


def test_ending_api_and_workers_under_load_loses_and_doubles_nothing(
    deployed: Production, service: Service
) -> None:
    with Load(service) as load:
        load.await_accepted(200)
        codes = deployed.workers.stop(), deployed.api.stop()
    deployed.start_api()
    deployed.start_workers()
    deployed.again(service)
    states = service.await_settled(service.account()["accepted"])

    assert codes == (0, 0)
    assert set(states) == {"sent"}
    mailed = Counter(deployed.outside.mailed())
    assert set(load.accepted) <= set(mailed)
    assert set(mailed.values()) == {1}


def test_a_killed_child_costs_seconds_and_loses_nothing(
    deployed: Production, service: Service, awake: AwakeClock
) -> None:
    deployed.outside.smtp.delay("DATA", 1.0, times=40)
    ids = service.send_batch([MAIL] * 200)
    service.await_status(ids[0], {"processing"})
    os.kill(workers_of(deployed.workers.pid)[0], signal.SIGKILL)
    killed_s = awake.monotonic_s()
    states = service.await_settled(len(ids))
    recovered_s = awake.monotonic_s() - killed_s
    deployed.await_workers(PROCESSES + 1)

    mailed = Counter(deployed.outside.mailed())
    unknown = service.account()["outcome_unknown"]
    assert states == {"sent": 200}
    assert recovered_s < LEASE_S / 2
    assert set(mailed) == set(ids)
    # What the dead one had handed over and not recorded is counted; nothing else is doubled.
    assert mailed.total() - len(ids) <= unknown
    assert 0 < unknown <= SLOTS


def test_a_killed_runner_leaves_no_children_and_loses_nothing(
    deployed: Production, service: Service
) -> None:
    deployed.outside.smtp.delay("DATA", 0.2, times=100)
    ids = service.send_batch([MAIL] * 200)
    service.await_status(ids[0], {"processing"})
    children = children_of(deployed.workers.pid)
    assert deployed.workers.stop(signal.SIGKILL) == -signal.SIGKILL
    await_gone(children, timeout_s=AT_ALL_S)
    deployed.start_workers()

    assert len(children) >= PROCESSES
    assert service.await_settled(len(ids)) == {"sent": 200}
    assert Counter(deployed.outside.mailed()) == Counter(ids)


def test_without_a_broker_notifications_are_accepted_and_sent_once_it_is_back(
    deployed: Production, service: Service
) -> None:
    broker = deployed.outside.rabbitmq
    broker.kill()
    try:
        ids = [service.send(each) for each in (MAIL, SMS, IN_APP) * 5]
        ready = service.get("/readyz")
        account = service.account()
    finally:
        broker.start()
    states = service.await_settled(len(ids))

    assert (ready["status"], ready["broker"]["ok"]) == ("degraded", False)
    assert account["queues"] is None
    assert states == {"sent": len(ids)}


def test_without_a_database_nothing_is_accepted_and_everything_recovers(
    deployed: Production, service: Service, awake: AwakeClock
) -> None:
    deployed.outside.smtp.delay("DATA", 0.3, times=40)
    before = service.send_batch([MAIL] * 60)
    deployed.outside.postgres.kill()
    try:
        started_s = awake.monotonic_s()
        refused = service.post(f"{PREFIX}/send", MAIL)
        answered_s = awake.monotonic_s() - started_s
        ready = service.client.get("/readyz")
    finally:
        deployed.outside.postgres.start()
    wait_until(
        lambda: service.client.get("/readyz").status_code == 200,
        timeout_s=AT_ALL_S,
        what="recovery",
    )
    after = service.send(MAIL)
    states = service.await_settled(len(before) + 1)

    assert (refused.status_code, ready.status_code) == (503, 503)
    assert answered_s < 2 * ANSWER_TIMEOUT_S
    assert int(refused.headers["Retry-After"]) > 0
    assert states == {"sent": len(before) + 1}
    assert {*before, after} <= set(deployed.outside.mailed())
