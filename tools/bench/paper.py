"""100 million notifications a day, on paper: each figure follows from measured ones."""

from collections.abc import Iterator
from math import ceil

from tests.markdown import table
from tools.bench.results import PARTS, Results, Sample, is_notifier

A_DAY = 100_000_000
_DAY_S = 86_400
_PEAK = 3
# Of its core, a process should be busy no more than this at the peak.
_BUSY = 0.7
_KEPT_DAYS = 30
_GB = 1e9


def plan(results: Results) -> str:
    """What it takes, as a table; empty where a figure that it needs was not measured."""
    try:
        return table(["100 million a day", "", "follows from"], list(_rows(results)))
    except KeyError:
        return ""


def _rows(results: Results) -> Iterator[tuple[str, str, str]]:
    accept, drain, slow = (_ours(results, name) for name in ("accept", "drain", "slow"))
    parts = results.medians("limits")[PARTS]
    peak = A_DAY / _DAY_S * _PEAK
    yield "on average", f"{A_DAY / _DAY_S:,.0f}/s", "100,000,000 / 86,400 s"
    yield f"at the peak, {_PEAK} times as many", f"{peak:,.0f}/s", "an assumption"
    for name, sample, part in (
        ("API processes", accept, "API"),
        ("worker processes, by their CPU time", drain, "workers"),
    ):
        used = sample[f"cpu_us {part}"]
        why = f"{peak:,.0f}/s x {used:,.0f} µs, {_BUSY:.0%} busy"
        yield name, f"{_processes(peak, used)}", why
    slots = slow["per_s"] / 2
    why = f"{peak:,.0f}/s / {slots:,.0f}/s a process"
    yield "worker processes, if the provider takes 1 s", f"{ceil(peak / slots)}", why
    for name in ("PostgreSQL", "RabbitMQ"):
        used = accept[f"cpu_us {name}"] + drain[f"cpu_us {name}"]
        why = f"{peak:,.0f}/s x {used:,.0f} µs accepting and sending, {_BUSY:.0%} busy"
        yield f"cores for {name}", f"{_processes(peak, used)}", why
    rate = parts["consumed and acknowledged/s, prefetch 1 on 32 channels"]
    why = f"{peak:,.0f}/s / {rate:,.0f}/s through one, by one process"
    yield "quorum queues that take the load", f"{ceil(peak / rate)}", why
    day = A_DAY * drain["bytes"] / _GB
    why = f"{drain['bytes']:,.0f} bytes a notification, with indexes and timeline"
    yield "database, a day (a partition)", f"{day:,.0f} GB", why
    yield f"database, {_KEPT_DAYS} days", f"{day * _KEPT_DAYS / 1e3:,.1f} TB", f"{_KEPT_DAYS} days"


def _processes(peak: float, used_us: float) -> int:
    return ceil(peak * used_us / 1e6 / _BUSY)


def _ours(results: Results, measurement: str) -> Sample:
    medians = results.medians(measurement)
    return next((each for name, each in medians.items() if is_notifier(name)), {})
