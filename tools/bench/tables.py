"""What was found, as tables."""

from collections.abc import Mapping, Sequence

from tests.markdown import table
from tools.bench.paper import plan
from tools.bench.results import Judged, Results, is_notifier, judge

_UNITS = {
    "per_s": ("a second", "{:,.0f}"),
    "p50_ms": ("p50, ms", "{:,.1f}"),
    "p99_ms": ("p99, ms", "{:,.1f}"),
    "max_ms": ("longest, ms", "{:,.0f}"),
    "lag_p99_ms": ("published after, p99, ms", "{:,.0f}"),
    "pss_mib": ("memory, MiB (PSS)", "{:,.0f}"),
    "rss_mib": ("memory, MiB (RSS)", "{:,.0f}"),
    "api_mib": ("API's memory, MiB (PSS)", "{:,.0f}"),
    "bytes": ("bytes in the database", "{:,.0f}"),
}
_CPU = "cpu_us "
_SIDE_BY_SIDE = 3  # fewer are told apart better with a figure in each row


def sections(results: Results) -> Mapping[str, str]:
    """Tables in Markdown, of the machine, of each measurement (several) and of the targets."""
    found = {"machine": table(["machine", ""], [[n, str(v)] for n, v in results.machine.items()])}
    for measurement in results.samples:
        tables = (_figures(results, measurement), _cpu(results, measurement))
        found[measurement] = "\n\n".join(filter(None, tables))
    if paper := plan(results):
        found["paper"] = paper
    judged = [each for each in judge(results) if each.found is not None]
    return {**found, "targets": _targets(judged)} if judged else found


def _figures(results: Results, measurement: str) -> str:
    medians = results.medians(measurement)
    names = [
        name
        for name in dict.fromkeys(name for sample in medians.values() for name in sample)
        if not name.startswith(_CPU)
    ]
    if len(medians) < _SIDE_BY_SIDE:
        rows = [[_heading(n), *(_cell(n, each.get(n)) for each in medians.values())] for n in names]
        return table([measurement, *medians], rows)
    rows = [
        [subject, *(_cell(name, sample.get(name)) for name in names)]
        for subject, sample in medians.items()
    ]
    heading = [measurement, *map(_heading, names)]
    if all(map(is_notifier, medians)):
        return table(heading, rows)
    ours = next(each.get("per_s") for name, each in medians.items() if is_notifier(name))
    theirs = (sample.get("per_s") for sample in medians.values())
    compared = [[*row, _ratio(ours, each)] for row, each in zip(rows, theirs, strict=True)]
    return table([*heading, "notifier is faster by"], compared)


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.2f}" if ours and theirs else ""


def _cpu(results: Results, measurement: str) -> str:
    """Where the machine's time goes, for each notification."""
    medians = results.medians(measurement)
    names = dict.fromkeys(
        name for sample in medians.values() for name in sample if name.startswith(_CPU)
    )
    rows = [
        [
            subject,
            *(f"{sample.get(name, 0):,.0f}" for name in names),
            f"{sum(sample.get(name, 0) for name in names):,.0f}",
        ]
        for subject, sample in medians.items()
    ]
    heading = [f"{measurement}: CPU, µs a notification", *(n.removeprefix(_CPU) for n in names)]
    return table([*heading, "all"], rows) if names else ""


def _targets(judged: Sequence[Judged]) -> str:
    rows = [
        [
            each.target.text,
            each.target.bound,
            "" if each.found is None else f"{each.found:,.2f}",
            {True: "met", False: "**missed**", None: ""}[each.is_met],
        ]
        for each in judged
    ]
    return table(["target", "asked", "found", ""], rows)


def _heading(name: str) -> str:
    return _UNITS.get(name, (name.replace("_", " "), ""))[0]


def _cell(name: str, value: float | None) -> str:
    return "" if value is None else _UNITS.get(name, ("", "{:,.1f}"))[1].format(value)
