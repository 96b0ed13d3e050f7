"""The command: see scripts/bench."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from tests.markdown import table_of
from tools.bench.machine import describe
from tools.bench.page import write_page
from tools.bench.peers_environment import peers_python
from tools.bench.place import open_servers
from tools.bench.plot import draw
from tools.bench.results import Results, judge, read_results
from tools.bench.run import Command, Options, run
from tools.bench.tables import sections

_WIDTH = 140
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    command: Annotated[
        Command, typer.Argument(help="What to measure; `report` shows the last run again.")
    ],
    *,
    peers: Annotated[
        bool, typer.Option("--peers", help="Measure what others would build, too.")
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Medians are of so many.")] = 3,
    notifications: Annotated[
        int, typer.Option(min=100, help="How many wait in the queue before a drain.")
    ] = 10_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long each load lasts.")] = 10,
    old: Annotated[
        int, typer.Option(min=1, help="How many old notifications the table of scale holds.")
    ] = 5_000_000,
    broker: Annotated[
        str | None,
        typer.Option(help="Use this RabbitMQ, amqp://..., instead of one of the run's own."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder.")] = Path(".cache") / "bench",
    report_markdown: Annotated[
        bool, typer.Option("--report-markdown", help="Print the tables as Markdown, too.")
    ] = False,
    docs: Annotated[
        bool, typer.Option("--docs", help="Write tables and picture into docs/.")
    ] = False,
) -> None:
    """Measure notifier, and beside it what people would build instead."""
    if broker is not None:
        os.environ["NOTIFIER_TEST_BROKER_URL"] = broker
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    path = out / "results.json"
    if command is Command.REPORT:
        results = read_results(path)
    else:
        options = Options(
            repeats=repeats,
            notifications=notifications,
            seconds=seconds,
            old=old,
            peers=peers_python() if peers else None,
        )
        results = _measure(command, options, path, console)
    _show(results, path, console)
    if report_markdown:
        print("\n\n".join(sections(results).values()))  # noqa: T201  to be pasted
    if docs:
        write_page(results)
    sys.exit(1 if any(each.is_met is False for each in judge(results)) else 0)


def _measure(command: Command, options: Options, path: Path, console: Console) -> Results:
    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False)

    with open_servers(path.parent) as servers:
        told = {name: str(value) for name, value in asdict(options).items() if name != "peers"}
        results = Results(machine=describe(servers), options={"command": command.value, **told})
        uvloop.run(run(command, servers, options, results, path, say))
    return results


def _show(results: Results, path: Path, console: Console) -> None:
    for section in sections(results).values():
        for table in section.split("\n\n"):
            console.print(table_of(table))
    picture = path.with_name("performance.svg")
    picture.write_text(draw(results))
    console.print(f"All figures are in {path}, a picture in {picture}")


if __name__ == "__main__":
    app()
