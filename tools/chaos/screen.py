"""What a run shows: a live line while it lasts, and the account at its end."""

from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from tests.markdown import table_of
from tools.chaos.report import Report
from tools.chaos.run import Options, Progress

_PLAIN_EVERY_S = 15


class Screen:
    """Shows progress: in place on a terminal, else a line now and then."""

    def __init__(self, console: Console, options: Options) -> None:
        self._console = console
        self._options = options
        self._live = Live(console=console, refresh_per_second=2)
        self._told_s = -float(_PLAIN_EVERY_S)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show how far it is."""
        text = self._text(progress)
        if self._live.is_started:
            self._live.update(text)
        elif progress.elapsed_s >= self._told_s + _PLAIN_EVERY_S:
            self._told_s = progress.elapsed_s
            self._console.print(text, soft_wrap=True)

    def _text(self, progress: Progress) -> Text:
        backlog = progress.accepted - progress.final
        text = Text(f"{progress.elapsed_s:5.0f} s  {progress.phase}: ")
        text.append(f"accepted {progress.accepted:,} of {self._options.notifications:,}, ")
        text.append(f"final {progress.final:,}, backlog {backlog:,}, ")
        text.append(f"faults {progress.faults_done} of {self._options.faults}")
        text.append("".join(f"  [{label}]" for label in progress.under_way), style="red")
        return text


def summary(report: Report, folder: Path) -> RenderableType:
    """The account as tables, and the verdict."""
    problems = report.problems()
    verdict = Text("The account balances.", style="bold green")
    if problems:
        verdict = Text("The account does not balance: " + "; ".join(problems), style="bold red")
    where = Text(f"report.json, report.md and course.svg are in {folder}")
    return Group(*map(table_of, report.as_markdown().split("\n\n")), verdict, where)
