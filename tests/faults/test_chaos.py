"""The chaos run itself, and that it can see what it is there to see."""

import json
import os
import subprocess
import sys
from pathlib import Path

import uvloop

from tests.e2e.processes import CHECKOUT
from tests.patience import AT_ALL_S
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq
from tools.chaos.outside import one_of_each
from tools.chaos.plan import KINDS_OF_ONE
from tools.chaos.run import Options, Progress, run

SETTLE_S = 300
"""Longer than what waits may add up to here: a breaker that failed its probe (60 s), the lease of
a probe whose worker was killed (60 s), the next suspicion of what was lost twice (100 s)."""


def test_nothing_is_lost_while_everything_breaks(
    postgres: Postgres, rabbitmq: RabbitMq, tmp_path: Path
) -> None:
    options = Options(
        notifications=3_000,
        seed=3,
        faults=13,
        duration_s=45,
        settle_s=SETTLE_S,
        folder=tmp_path / "chaos",
    )
    shown: list[Progress] = []

    with one_of_each(postgres, rabbitmq) as servers:
        report = uvloop.run(run(options, servers, shown.append))

    assert report.problems() == [], report.examples
    assert report.accepted == 3_000
    assert set(report.faults) == KINDS_OF_ONE
    # An answer takes 3 s at most; nobody waits for what is broken.
    assert report.requests.slowest_s < 20
    assert shown[-1].final == 3_000
    assert {each.name for each in options.folder.glob("*.*")} >= {
        "answers.jsonl", "course.svg", "faults.jsonl", "journal.jsonl", "report.json", "report.md",
    }  # fmt: skip


def test_a_run_without_its_relay_does_not_balance(
    postgres: Postgres, rabbitmq: RabbitMq, tmp_path: Path
) -> None:
    folder = tmp_path / "control"
    words = "--notifications 300 --faults 0 --minutes 0.1 --settle 8 --without-relay"
    command = [sys.executable, "-m", "tools.chaos", *words.split(), "--out", str(folder)]

    ended = subprocess.run(
        command,
        env={
            **os.environ,
            "NOTIFIER_TEST_DATABASE_URL": postgres.admin_url,
            "NOTIFIER_TEST_BROKER_URL": rabbitmq.amqp_url,
            "NOTIFIER_TEST_BROKER_MANAGEMENT_URL": rabbitmq.management_url,
        },
        cwd=CHECKOUT,
        check=False,
        capture_output=True,
        text=True,
        timeout=3 * AT_ALL_S,
    )

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "The account does not balance: stuck:" in ended.stdout
    report = json.loads((folder / "report.json").read_text())
    assert report["stuck"] > 0
    assert report["accepted"] == 300
