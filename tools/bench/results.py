"""What was measured: samples, their medians, and what the targets say to them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

Sample: TypeAlias = Mapping[str, float]
"""Figures of one turn, by name."""

Figure: TypeAlias = Callable[[Sample], float]
"""One of a sample's figures; 0 if it has not got it."""

CPU = "cpu_us "
"""Begins the names of what parts used, in microseconds a notification."""
NOTIFIER = "notifier"
GATHERING, PLAIN = "by hand, gathering", "by hand, plain"
FASTSTREAM, DRAMATIQ, CELERY = "FastAPI + FastStream", "FastAPI + Dramatiq", "FastAPI + Celery"
PARTS = "the parts alone"
NO_OLD, MANY_OLD = "no old notifications", "many old notifications"
CROWDED = f"{NOTIFIER}, crowded"
MANY_DUE = f"{NOTIFIER}, many due"
ALL_AT_ONCE = f"{NOTIFIER}, all at once"
UNDISTURBED = f"{NOTIFIER}, not killed"
INLINE_CONTENT = f"{NOTIFIER}, inline content"
TEMPLATE = f"{NOTIFIER}, a template"
TEMPLATE_AMONG_MANY = f"{NOTIFIER}, a template among 100,000 versions"
TEMPLATE_OF_ROWS = f"{NOTIFIER}, a template with ten rows"
ADDRESS = f"{NOTIFIER}, to an address"
PERSON = f"{NOTIFIER}, to a person who chose"


@dataclass(slots=True)
class Results:
    """All samples of a run: by measurement, then by what was measured."""

    machine: Mapping[str, Any]
    options: Mapping[str, Any]
    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)

    def add(self, measurement: str, subject: str, sample: Sample) -> None:
        """Keep the figures of one turn."""
        self.samples.setdefault(measurement, {}).setdefault(subject, []).append(sample)

    def medians(self, measurement: str) -> Mapping[str, Sample]:
        """The medians of each subject's figures, in the order in which they were measured."""
        return {
            subject: medians(samples)
            for subject, samples in self.samples.get(measurement, {}).items()
        }

    def times_ours(self, measurement: str, subject: str, figure: Figure) -> float | None:
        """How many times notifier's figure a subject's is: the median of the rounds."""
        samples = self.samples.get(measurement, {})
        ours = next((each for name, each in samples.items() if is_notifier(name)), [])
        ratios = paired(samples.get(subject, []), ours, figure)
        return median(ratios) if ratios else None

    def write(self, path: Path) -> None:
        """Write all of it as JSON."""
        path.write_text(
            json.dumps(
                {
                    "machine": self.machine,
                    "options": self.options,
                    "medians": {name: self.medians(name) for name in self.samples},
                    "targets": [
                        {"target": each.target.text, "found": each.found, "met": each.is_met}
                        for each in judge(self)
                    ],
                    "samples": self.samples,
                },
                indent=1,
            )
        )


def read_results(path: Path) -> Results:
    """What a run wrote."""
    told = json.loads(path.read_text())
    return Results(told["machine"], told["options"], told["samples"])


def medians(samples: Sequence[Sample]) -> Sample:
    """The median of each figure, over the samples that have it."""
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: median(each[name] for each in samples if name in each) for name in names}


def cpu_us(sample: Sample) -> float:
    """Microseconds of CPU for each notification, of all parts together; 0 if not measured."""
    return sum(value for name, value in sample.items() if name.startswith(CPU))


def per_s(sample: Sample) -> float:
    """How many a second; 0 if not measured."""
    return sample.get("per_s", 0)


def paired(above: Sequence[Sample], below: Sequence[Sample], figure: Figure) -> list[float]:
    """The ratio of each round, where both were measured: what disturbs it disturbs both."""
    pairs = [(figure(one), figure(other)) for one, other in zip(above, below, strict=False)]
    return [over / under for over, under in pairs if over and under]


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    ordered = sorted(values)
    rank = max(0, min(len(ordered) - 1, -(-len(ordered) * share // 1) - 1))
    return ordered[int(rank)]


def is_notifier(subject: str) -> bool:
    """Whether a subject is notifier, with however many slots."""
    return subject.partition(",")[0] == NOTIFIER


Finding: TypeAlias = Callable[["Results"], float | None]
"""What was found for a target; None where it was not measured."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that must be at least `least`, or at most `most`."""

    text: str
    find: Finding
    least: float | None = None
    most: float | None = None

    @property
    def bound(self) -> str:
        """What is asked, in words."""
        return f"at most {self.most:,g}" if self.least is None else f"at least {self.least:,g}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A target and what was found; None where it was not measured."""

    target: Target
    found: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether it is met; None where it was not measured."""
        if self.found is None:
            return None
        if self.target.least is not None:
            return self.found >= self.target.least
        return self.target.most is not None and self.found <= self.target.most


def judge(results: Results) -> list[Judged]:
    """What was found for each target."""
    return [Judged(target, target.find(results)) for target in TARGETS]


def _ours(measurement: str, figure: str) -> Finding:
    """A figure of notifier's."""

    def find(results: Results) -> float | None:
        samples = results.medians(measurement).items()
        return next((each.get(figure) for name, each in samples if is_notifier(name)), None)

    return find


def _of(measurement: str, subject: str, figure: str) -> Finding:
    """A figure of a certain subject's."""

    def find(results: Results) -> float | None:
        return results.medians(measurement).get(subject, {}).get(figure)

    return find


def _times(above: Finding, below: Finding) -> Finding:
    def find(results: Results) -> float | None:
        over, under = above(results), below(results)
        return over / under if over is not None and under else None

    return find


def _cpu_of(measurement: str, peer: str) -> Finding:
    """How many times our CPU a peer uses."""

    def find(results: Results) -> float | None:
        subjects = (name for name in results.samples.get(measurement, {}) if name.startswith(peer))
        return next((results.times_ours(measurement, each, cpu_us) for each in subjects), None)

    return find


def _slowest_read(results: Results) -> float | None:
    """The median of what takes longest."""
    return max((each["p50_ms"] for each in results.medians("reads").values()), default=None)


def _grown(figure: str) -> Finding:
    return _times(_of("scale", MANY_OLD, figure), _of("scale", NO_OLD, figure))


def _to_inline(subject: str) -> Finding:
    figure = "cpu_us API"
    return _times(_of("templates", subject, figure), _of("templates", INLINE_CONTENT, figure))


def _person_to_address(results: Results) -> float | None:
    figure = "cpu_us API"
    return _times(_of("people", PERSON, figure), _of("people", ADDRESS, figure))(results)


_ACCEPT_US, _SEND_US = "accept, µs in the database", "claim and finish, µs in the database"
_STATUS_MS = "status query, ms in the database"
TARGETS = (
    Target("accept: CPU of FastStream, times ours", _cpu_of("accept", FASTSTREAM), least=6),
    Target("accept: CPU by hand, plain, times ours", _cpu_of("accept", PLAIN), least=4),
    Target("accept: CPU by hand, gathering, times ours", _cpu_of("accept", GATHERING), least=2.2),
    Target("accept: p99 at 64 connections, ms", _ours("accept", "p99_ms"), most=60),
    Target("accept: published after, p99, ms", _ours("accept", "lag_p99_ms"), most=1_000),
    Target("keys: rate with them, to without", _ours("keys", "rate with, to without"), least=0.9),
    Target("batches of 1,000: accepted/s", _ours("batch", "per_s"), least=15_000),
    Target("batches of 1,000: published/s", _ours("batch", "published per s"), least=15_000),
    Target("batches of 1,000: published after, p99, ms", _ours("batch", "lag_p99_ms"), most=2_000),
    Target("drain: CPU of FastStream, times ours", _cpu_of("drain", FASTSTREAM), least=5.5),
    Target("drain: CPU by hand, plain, times ours", _cpu_of("drain", PLAIN), least=2.4),
    Target("drain: CPU by hand, gathering, times ours", _cpu_of("drain", GATHERING), least=1.1),
    Target("SMTP takes 1 s: sent/s", _ours("slow", "per_s"), least=900),
    Target("SMTP takes 1 s: workers' memory, MiB", _ours("slow", "pss_mib"), most=300),
    Target("lanes: high waits, p50, ms", _ours("lanes", "p50_ms"), most=300),
    Target("lanes: high waits, p99, ms", _ours("lanes", "p99_ms"), most=1_000),
    Target("lanes: high waits in a crowd, p99, ms", _of("lanes", CROWDED, "p99_ms"), most=300),
    Target(
        "lanes: high waits from its time on, many due, p99, ms",
        _of("lanes", MANY_DUE, "p99_ms"),
        most=1_500,
    ),
    Target(
        "lanes: high waits, all at once, p99, ms", _of("lanes", ALL_AT_ONCE, "p99_ms"), most=300
    ),
    Target(
        "lanes: high waits from its time on, all at once, p99, ms",
        _of("lanes", ALL_AT_ONCE, "at its time, p99, ms"),
        most=1_500,
    ),
    Target("templates: CPU of the API, to inline content", _to_inline(TEMPLATE), most=1.25),
    Target("templates: the same, among 100,000", _to_inline(TEMPLATE_AMONG_MANY), most=1.25),
    Target(
        "templates: filling a mail of ten rows, µs",
        _of("templates", TEMPLATE_OF_ROWS, "filling, µs"),
        most=1_000,
    ),
    Target("broadcast: members told once each, %", _ours("broadcast", "told once, %"), least=100),
    Target("broadcast: longest transaction, ms", _ours("broadcast", "transaction_ms"), most=250),
    Target("broadcast: memory of a relay, MiB (RSS)", _ours("broadcast", "rss_mib"), most=150),
    Target("broadcast: high waits meanwhile, p99, ms", _ours("broadcast", "p99_ms"), most=1_000),
    Target(
        "events: in one digest of their own, %",
        _ours("events", "in one digest of their own, %"),
        least=100,
    ),
    Target("events: from one to its mail, p99, ms", _ours("reactions", "p99_ms"), most=1_000),
    Target("schedules: fired once each, %", _ours("schedules", "fired once, %"), least=100),
    Target("schedules: high waits meanwhile, p99, ms", _ours("schedules", "p99_ms"), most=1_000),
    Target("people: CPU of the API, to addresses", _person_to_address, most=1.25),
    Target("memory of the API, MiB", _ours("memory", "API second MiB (PSS)"), most=120),
    Target("memory of a worker, MiB", _ours("memory", "worker second MiB (PSS)"), most=100),
    Target("memory of the API: second to first", _ours("memory", "API growth"), most=1.05),
    Target("memory of a worker: second to first", _ours("memory", "worker growth"), most=1.05),
    Target("cost of accepting, many old ones to none", _grown(_ACCEPT_US), most=1.2),
    Target("cost of claim and finish, many old ones to none", _grown(_SEND_US), most=1.2),
    Target("status query, ms", _of("scale", MANY_OLD, _STATUS_MS), most=2),
    Target("reads: the slowest page or account, p50, ms", _slowest_read, most=50),
    Target("one process: POST to sandbox, a second", _ours("embedded", "per_s"), least=800),
    Target("idle worker: CPU, % of a core", _ours("idle", "worker CPU, % of a core"), most=1),
    Target("idle worker: statements/s", _ours("idle", "worker statements/s"), most=2),
)
