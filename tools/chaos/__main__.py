"""The command: see scripts/chaos."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from tests.servers.cluster import private_cluster
from tests.servers.postgres import private_postgres
from tests.servers.postgres_pair import private_postgres_pair
from tests.servers.rabbitmq import private_rabbitmq
from tools.chaos.cluster import NET_TICKTIME_S, clustered
from tools.chaos.outside import Outside, one_of_each
from tools.chaos.plan import KINDS_OF_CLUSTER, KINDS_OF_ONE
from tools.chaos.run import Options, run
from tools.chaos.screen import Screen, summary

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_EACH_FAULT_S, _EACH_CLUSTER_FAULT_S = 6, 30
_RATE_PER_S = 120
_DURABLE = {"fsync": "on", "full_page_writes": "on"}


@app.command()
def main(
    *,
    notifications: Annotated[int, typer.Option(min=1, help="How many to send.")] = 3_000,
    seed: Annotated[int, typer.Option(help="Of the load and of the faults.")] = 1,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="To spread load and faults over.")
    ] = None,
    faults: Annotated[
        int | None, typer.Option(min=0, help="How many; one for each 1,000 if not given.")
    ] = None,
    settle: Annotated[
        float, typer.Option(min=1, help="Seconds after which what is not final is stuck.")
    ] = 300,
    broker: Annotated[
        str | None,
        typer.Option(help="Use this RabbitMQ, amqp://..., instead of one of the run's own."),
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Three RabbitMQ nodes and a PostgreSQL pair.")
    ] = False,
    asynchronous: Annotated[
        bool,
        typer.Option("--asynchronous", help="Let no commit wait for the standby: this loses."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder; .cache/chaos/SEED if none.")] = None,
    without_relay: Annotated[
        bool, typer.Option("--without-relay", help="The control run, which must fail.")
    ] = False,
    report_markdown: Annotated[
        bool, typer.Option("--report-markdown", help="Print the tables as Markdown, too.")
    ] = False,
) -> None:
    """Load a whole notifier, break everything in it, and give an account."""
    if asynchronous and not cluster:
        raise typer.BadParameter("--asynchronous is about the standby of --cluster")
    if cluster and broker is not None:
        raise typer.BadParameter("--cluster starts nodes of its own, and takes no --broker")
    kinds = KINDS_OF_CLUSTER if cluster else KINDS_OF_ONE
    count = max(len(kinds), notifications // 1_000) if faults is None else faults
    each_fault_s = _EACH_CLUSTER_FAULT_S if cluster else _EACH_FAULT_S
    shortest_s = max(notifications / _RATE_PER_S, count * each_fault_s)
    options = Options(
        notifications=notifications,
        seed=seed,
        faults=count,
        duration_s=minutes * 60 if minutes else shortest_s,
        settle_s=settle,
        folder=out or Path(".cache") / "chaos" / str(seed),
        relay=not without_relay,
    )
    console = Console()
    with ExitStack() as stack:
        outside = _cluster(synchronous=not asynchronous) if cluster else _one_of_each(broker)
        servers = stack.enter_context(outside)
        screen = stack.enter_context(Screen(console, options))
        report = uvloop.run(run(options, servers, screen.show))
    console.print(summary(report, options.folder))
    if report_markdown:
        print(report.as_markdown())  # noqa: T201  to be pasted
    sys.exit(1 if report.problems() else 0)


@contextmanager
def _one_of_each(broker: str | None) -> Iterator[Outside]:
    if broker is not None:
        os.environ["NOTIFIER_TEST_BROKER_URL"] = broker
    with (
        private_postgres(durable=True) as postgres,
        private_rabbitmq() as rabbitmq,
        one_of_each(postgres, rabbitmq, own_broker=broker is None) as outside,
    ):
        yield outside


@contextmanager
def _cluster(*, synchronous: bool) -> Iterator[Outside]:
    with (
        private_postgres_pair(synchronous=synchronous, settings=_DURABLE) as pair,
        private_cluster(net_ticktime_s=NET_TICKTIME_S) as nodes,
        clustered(pair, nodes, synchronous=synchronous) as outside,
    ):
        yield outside


if __name__ == "__main__":
    app()
