"""The steps of a stop fit into what each process is given for it."""

from dataclasses import asdict

from notifier.composition.resources import stop_budget
from notifier.composition.settings import read_settings
from notifier.composition.workers import lease_of, supervisor_settings
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.store.kit.database import ANSWER_TIMEOUT_S
from notifier.worker.leases import AGAIN_S
from notifier.worker.stopping import StopBudget

SETTINGS = read_settings(
    {
        "NOTIFIER_DATABASE_URL": "sqlite:///x.db",
        "NOTIFIER_BROKER_URL": "memory://",
        "NOTIFIER_KEY_PEPPER": "sixteen characters",
        "NOTIFIER_WORKER__GRACE_S": "7",
    }
)
BUDGET = StopBudget(grace_s=45)


def test_a_worker_is_given_what_all_its_steps_take_together() -> None:
    steps = asdict(BUDGET)

    assert BUDGET.worker_s == sum(steps.values()) - steps["leases_s"] == 71


def test_a_runner_is_given_its_workers_time_and_what_it_does_after_them() -> None:
    after = BUDGET.leases_s + BUDGET.drain_s + BUDGET.close_s

    assert BUDGET.runner_s == BUDGET.worker_s + after == 90


def test_each_step_has_time_for_the_calls_that_it_makes() -> None:
    assert BUDGET.pause_s >= RabbitSettings(connection_name="x").call_timeout_s
    assert BUDGET.claim_s > ANSWER_TIMEOUT_S
    assert BUDGET.record_s > 2 * ANSWER_TIMEOUT_S
    assert BUDGET.leases_s > 2 * AGAIN_S + ANSWER_TIMEOUT_S


def test_the_grace_is_the_operators_and_all_who_wait_use_the_same_budget() -> None:
    budget = StopBudget(grace_s=7)

    assert stop_budget(SETTINGS) == budget
    assert supervisor_settings(SETTINGS).grace_s == budget.worker_s
    assert lease_of(SETTINGS, "worker-1").stop_patience_s == budget.record_s
