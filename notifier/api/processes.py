"""Metrics of the processes that run."""

from collections import Counter
from collections.abc import Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from notifier.roster import Process, Role, State

WORDS = (*(each.value for each in State), "late")


def of_processes(processes: Sequence[Process]) -> Iterable[Metric]:
    """Yield how many there are of each role in each state, and what workers have under way."""
    family = GaugeMetricFamily(
        "notifier_processes",
        "Processes, by what they do and how they are.",
        labels=["role", "state"],
    )
    counts = Counter((each.identity.role, each.word) for each in processes)
    for role in Role:
        for word in WORDS:
            family.add_metric([role.value, word], counts[role, word])
    yield family
    alive = [each for each in processes if each.seen.state is not State.STOPPED]
    there = [each for each in alive if not each.is_late]
    for name, words, value in (
        ("notifier_worker_slots", "Slots of workers.", sum(each.seen.slots for each in there)),
        ("notifier_worker_slots_busy", "Those taken.", sum(each.seen.busy for each in there)),
        (
            "notifier_worker_restarts",
            "How often the runners that run had to start a worker again.",
            sum(each.seen.restarts for each in alive if each.identity.role is Role.RUNNER),
        ),
    ):
        yield GaugeMetricFamily(name, words, value=value)
