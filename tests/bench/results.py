"""What was measured: samples, their medians, and what the targets say to them."""

import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeAlias

Sample: TypeAlias = Mapping[str, float]
"""Figures of one turn, by name."""

NOTIFIER = "notifier"
PEERS = "peers"


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


def medians(samples: Sequence[Sample]) -> Sample:
    """The median of each figure, over the samples that have it."""
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: median(each[name] for each in samples if name in each) for name in names}


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    ordered = sorted(values)
    rank = max(0, min(len(ordered) - 1, -(-len(ordered) * share // 1) - 1))
    return ordered[int(rank)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What issue and page promise of one figure of notifier's.

    With `against` it is a ratio: to the highest of the PEERS that were measured, or to the
    same figure of one subject.
    """

    text: str
    measurement: str
    figure: str
    bound: float
    kind: Literal["at least", "at most"]
    subject: str = NOTIFIER
    against: str | None = None


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
        holds = operator.ge if self.target.kind == "at least" else operator.le
        return bool(holds(self.found, self.target.bound))


TARGETS = (
    Target(
        text="accept: times the fastest peer",
        measurement="accept",
        figure="per_s",
        bound=3,
        kind="at least",
        against=PEERS,
    ),
    Target(
        text="accept: p99 in ms at 64 connections",
        measurement="accept",
        figure="p99_ms",
        bound=60,
        kind="at most",
    ),
    Target(
        text="accept: publishing behind accepting, p99 in ms",
        measurement="accept",
        figure="lag_p99_ms",
        bound=1_000,
        kind="at most",
    ),
    Target(
        text="accept: notifications/s in batches of 1,000",
        measurement="batch",
        figure="per_s",
        bound=15_000,
        kind="at least",
    ),
    Target(
        text="drain: times the fastest peer",
        measurement="drain",
        figure="per_s",
        bound=3,
        kind="at least",
        against=PEERS,
    ),
)


def judge(results: Results) -> list[Judged]:
    """What was found for each target."""
    return [Judged(target, _found(results, target)) for target in TARGETS]


def _found(results: Results, target: Target) -> float | None:
    figures = {
        subject: sample[target.figure]
        for subject, sample in results.medians(target.measurement).items()
        if target.figure in sample
    }
    ours = figures.pop(target.subject, None)
    if ours is None or target.against is None:
        return ours
    if target.against != PEERS:
        other = figures.get(target.against)
        return None if other is None else ours / other
    return ours / max(figures.values()) if figures else None
