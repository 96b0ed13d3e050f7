"""The benchmark itself, with so little to do that its figures mean nothing."""

from pathlib import Path

import uvloop

from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq
from tools.bench.place import Servers
from tools.bench.results import NOTIFIER, Results, is_notifier, read_results
from tools.bench.run import Command, Options, run
from tools.bench.tools import smtp_sink, wrk


def test_a_short_run_measures_and_writes_what_it_found(
    postgres: Postgres, rabbitmq: RabbitMq, tmp_path: Path
) -> None:
    servers = Servers(
        postgres=postgres,
        rabbitmq=rabbitmq,
        wrk=wrk(),
        smtp_sink=smtp_sink(),
        folder=tmp_path / "logs",
    )
    options = Options(repeats=1, notifications=100, seconds=1, old=1, peers=None)
    results = Results(machine={}, options={})
    said: list[str] = []

    uvloop.run(run(Command.DRAIN, servers, options, results, tmp_path / "found.json", said.append))

    ((subject, [sample]),) = results.samples["drain"].items()
    assert is_notifier(subject)
    assert sample["per_s"] > 0
    assert sample["bytes"] > 100
    assert read_results(tmp_path / "found.json").samples == results.samples
    assert said[0] == f"drain, 1 of 1: {NOTIFIER}, 2 x 32"
