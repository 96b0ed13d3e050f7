"""The account of a run: what balances, what does not, and every figure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from notifier.notification.model import Status
from tools.chaos.causes import Cause
from tools.chaos.figures import Latency, Recovery
from tools.chaos.plan import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """How clients fared: the latency of what was answered 2xx, and what had to be sent again."""

    latency: Latency | None
    slowest_s: float
    refused: int
    unanswered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Duplicates of one cause, and how many there may be."""

    count: int
    bound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """What lies in the dead queues beside the failed records, by channel.

    `unknown` letters, which are none of `letters`, are of ids that the database does not have.
    """

    letters: Mapping[str, int]
    failed: Mapping[str, int]
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is said about a run; lists of ids are cut to the first few."""

    seed: int
    relay: bool
    rabbitmq: str
    postgresql: str
    duration_s: float
    settled_s: float
    accepted: int
    by_status: Mapping[Status, int]
    lost: int
    stuck: int
    never_accepted: int
    unknown: int
    told_twice: int
    duplicates: Mapping[Cause, Duplicates]
    late_completions: int
    outcome_unknown: int
    faults: Mapping[Kind, Recovery]
    requests: Requests
    handover: Latency | None
    dead_letters: DeadLetters
    examples: Mapping[str, Sequence[str]]

    def problems(self) -> list[str]:
        """Why the account does not balance; nothing if it does."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        for name in ("lost", "stuck", "never_accepted", "unknown", "told_twice"):
            if count := getattr(self, name):
                yield f"{name.replace('_', ' ')}: {count}"
        if self.accepted != sum(self.by_status.values()):
            yield f"accepted {self.accepted}, in all states {sum(self.by_status.values())}"
        for cause, found in self.duplicates.items():
            if found.count > found.bound:
                yield f"duplicates, {cause}: {found.count} of at most {found.bound}"
        if self.dead_letters.letters != self.dead_letters.failed:
            yield f"dead letters {self.dead_letters.letters}, failed {self.dead_letters.failed}"

    def as_json(self) -> str:
        """All of it, and what is wrong."""
        return json.dumps({**asdict(self), "problems": self.problems()}, indent=2) + "\n"

    def as_markdown(self) -> str:
        """The tables for docs/reliability.md."""
        return "\n".join([*self._account_rows(), "", *self._cause_rows(), "", *self._fault_rows()])

    def _account_rows(self) -> Iterator[str]:
        yield f"| seed {self.seed}, RabbitMQ {self.rabbitmq}, PostgreSQL {self.postgresql} | |"
        yield "|---|---|"
        states = ", ".join(
            f"{status} {count:,}" for status, count in sorted(self.by_status.items())
        )
        dead = self.dead_letters
        letters, failed = sum(dead.letters.values()), sum(dead.failed.values())
        rows = {
            "accepted": f"{self.accepted:,}",
            "final states": states,
            "**lost**": f"**{self.lost}**",
            "**stuck**": f"**{self.stuck}**",
            "duplicates": sum(each.count for each in self.duplicates.values()),
            "late completions": self.late_completions,
            "dead letters / failed records": f"{letters} / {failed}",
            "dead letters unknown to the database": dead.unknown,
            "faults": sum(each.times for each in self.faults.values()),
            "load and faults / until all was settled": f"{self.duration_s} s / {self.settled_s} s",
            "accepting, p50 / p99 / longest": _latency(self.requests.latency),
            "longest wait for any answer": f"{self.requests.slowest_s} s",
            "hand-over, p50 / p99 / longest": _latency(self.handover),
            "requests to be sent again": f"{self.requests.refused} refused, "
            f"{self.requests.unanswered} without an answer",
        }
        for name, value in rows.items():
            yield f"| {name} | {value} |"

    def _cause_rows(self) -> Iterator[str]:
        yield "| Duplicates by cause | found | at most |"
        yield "|---|---:|---:|"
        for cause, found in self.duplicates.items():
            yield f"| {cause} | {found.count} | {found.bound} |"

    def _fault_rows(self) -> Iterator[str]:
        yield "| Fault | times | first hand-over after it | longest time without any |"
        yield "|---|---:|---:|---:|"
        for kind, each in self.faults.items():
            yield f"| {kind} | {each.times} | {each.first_after_s} s | {each.longest_gap_s} s |"

    def write(self, folder: Path) -> None:
        """Write report.json and report.md."""
        (folder / "report.json").write_text(self.as_json())
        (folder / "report.md").write_text(self.as_markdown() + "\n")


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return "-"
    return f"{latency.p50 * 1000:.0f} ms / {latency.p99:.2f} s / {latency.longest:.1f} s"
