"""The chaos run, small: `scripts/test --with faults` has a long one with each kind of fault."""

from dataclasses import replace
from pathlib import Path

import uvloop

from tests.patience import AT_ALL_S
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq
from tools.chaos.outside import one_of_each
from tools.chaos.plan import Kind
from tools.chaos.run import Options, Progress, run

FEW = {Kind.API_KILLED, Kind.WORKER_KILLED, Kind.QUEUES_PURGED, Kind.DATABASE_RESTARTED}


def test_nothing_is_lost_while_some_things_break(
    postgres: Postgres, rabbitmq: RabbitMq, tmp_path: Path
) -> None:
    options = Options(
        notifications=400,
        seed=3,
        faults=len(FEW),
        duration_s=8,
        settle_s=2 * AT_ALL_S,
        folder=tmp_path / "chaos",
    )
    shown: list[Progress] = []

    with one_of_each(postgres, rabbitmq) as servers:
        report = uvloop.run(run(options, replace(servers, kinds=FEW), shown.append))

    assert report.problems() == [], report.examples
    assert report.accepted == 400
    assert set(report.faults) == FEW
    assert shown[-1].final == 400
