"""What was found, as tables."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from tests.bench.results import Judged, Results, is_notifier, judge

_UNITS = {
    "per_s": ("a second", "{:,.0f}"),
    "p50_ms": ("p50, ms", "{:,.1f}"),
    "p99_ms": ("p99, ms", "{:,.1f}"),
    "lag_p99_ms": ("published after, p99, ms", "{:,.0f}"),
    "pss_mib": ("memory, MiB (PSS)", "{:,.0f}"),
    "rss_mib": ("memory, MiB (RSS)", "{:,.0f}"),
    "max_ms": ("longest, ms", "{:,.0f}"),
    "bytes": ("bytes in the database", "{:,.0f}"),
    "api_mib": ("API's memory, MiB (PSS)", "{:,.0f}"),
}
_CPU = "cpu_us "
_SIDE_BY_SIDE = 3  # fewer are told apart better with a figure in each row


def markdown(results: Results) -> str:
    """All tables, separated by empty lines."""
    return "\n\n".join("\n".join(lines) for lines in _tables(results)) + "\n"


def _tables(results: Results) -> Iterator[list[str]]:
    for measurement in results.samples:
        yield _figures(results, measurement)
        if cpu := _cpu(results, measurement):
            yield cpu
    yield _targets([each for each in judge(results) if each.found is not None])


def _figures(results: Results, measurement: str) -> list[str]:
    medians = results.medians(measurement)
    names = [
        name
        for name in dict.fromkeys(name for sample in medians.values() for name in sample)
        if not name.startswith(_CPU)
    ]
    if len(medians) < _SIDE_BY_SIDE:
        rows = [[_heading(n), *(_cell(n, each.get(n)) for each in medians.values())] for n in names]
        return _table([measurement, *medians], rows)
    ours = next((each.get("per_s") for name, each in medians.items() if is_notifier(name)), None)
    rows = [
        [
            subject,
            *(_cell(name, sample.get(name)) for name in names),
            _ratio(ours, sample.get("per_s")),
        ]
        for subject, sample in medians.items()
    ]
    heading = [measurement, *(_heading(name) for name in names), "notifier is faster by"]
    return _table(heading, rows)


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.2f}" if ours and theirs else ""


def _cpu(results: Results, measurement: str) -> list[str]:
    """Where the machine's time goes, for each notification."""
    medians = results.medians(measurement)
    names = dict.fromkeys(
        name for sample in medians.values() for name in sample if name.startswith(_CPU)
    )
    rows = [
        [subject, *(f"{sample.get(name, 0):,.0f}" for name in names)]
        for subject, sample in medians.items()
    ]
    heading = [f"{measurement}: CPU, µs a notification", *(n.removeprefix(_CPU) for n in names)]
    return _table(heading, rows) if names else []


def _targets(judged: Sequence[Judged]) -> list[str]:
    rows = [
        [
            each.target.text,
            each.target.bound,
            "" if each.found is None else f"{each.found:,.2f}",
            {True: "met", False: "**missed**", None: ""}[each.is_met],
        ]
        for each in judged
    ]
    return _table(["target", "", "found", ""], rows)


def _heading(name: str) -> str:
    return _UNITS.get(name, (name.replace("_", " "), ""))[0]


def _cell(name: str, value: float | None) -> str:
    return "" if value is None else _UNITS.get(name, ("", "{:,.1f}"))[1].format(value)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *rows)]


def table_of(text: str) -> Table:
    """A table of Markdown, for a terminal."""
    heading, _, *rows = [_cells(line) for line in text.splitlines()]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in heading:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("*", "") for cell in row))
    return table


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
