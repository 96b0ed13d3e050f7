"""What was found, as tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from tests.markdown import table
from tools.bench.paper import plan
from tools.bench.results import CPU, Judged, Results, Sample, cpu_us, is_notifier, judge, per_s

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
_SIDE_BY_SIDE = 3  # fewer are told apart better with a figure in each row


def sections(results: Results) -> Mapping[str, str]:
    """Tables in Markdown, of the machine, of each measurement (several) and of the targets."""
    found = {"machine": table(["machine", ""], [[n, str(v)] for n, v in results.machine.items()])}
    for measurement in results.samples:
        tables = (_cpu(results, measurement), _figures(results, measurement))
        found[measurement] = "\n\n".join(filter(None, tables))
    if paper := plan(results):
        found["paper"] = paper
    judged = [each for each in judge(results) if each.found is not None]
    return {**found, "targets": _targets(judged)} if judged else found


def _figures(results: Results, measurement: str) -> str:
    medians = results.medians(measurement)
    names = _names(medians.values(), lambda name: not name.startswith(CPU))
    if len(medians) < _SIDE_BY_SIDE:
        rows = [[_heading(n), *(_cell(n, each.get(n)) for each in medians.values())] for n in names]
        return table([measurement, *medians], rows)
    rows = [
        [subject, *(_cell(name, sample.get(name)) for name in names)]
        for subject, sample in medians.items()
    ]
    return table([measurement, *map(_heading, names)], rows)


def _cpu(results: Results, measurement: str) -> str:
    """Where the machine's time goes, for each notification; beside peers, how much less of it."""
    medians = results.medians(measurement)
    names = _names(medians.values(), lambda name: name.startswith(CPU))
    if not names:
        return ""
    rows = [
        [subject, *(f"{sample.get(name, 0):,.0f}" for name in names), f"{cpu_us(sample):,.0f}"]
        for subject, sample in medians.items()
    ]
    parts = [name.removeprefix(CPU) for name in names]
    heading = [f"{measurement}: CPU, µs a notification", *parts, "all"]
    if all(map(is_notifier, medians)):
        return table(heading, rows)
    compared = [
        [*row, *_beside(results, measurement, subject)]
        for row, subject in zip(rows, medians, strict=True)
    ]
    return table([*heading, "notifier: less by", "a second", "notifier: faster by"], compared)


def _beside(results: Results, measurement: str, subject: str) -> Iterator[str]:
    """Its CPU to ours, its rate, and our rate to it; nobody is compared with themselves."""
    cpu, rate = (results.times_ours(measurement, subject, each) for each in (cpu_us, per_s))
    is_ours = is_notifier(subject)
    yield f"{cpu:.1f}" if cpu and not is_ours else ""
    yield f"{per_s(results.medians(measurement)[subject]):,.0f}"
    yield f"{1 / rate:.1f}" if rate and not is_ours else ""


def _names(samples: Iterable[Sample], wanted: Callable[[str], bool]) -> list[str]:
    """The figures that any of them has."""
    return [name for name in dict.fromkeys(chain.from_iterable(samples)) if wanted(name)]


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
