"""Metrics of what is not done with."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from notifier.notification.feed import ACCEPT
from notifier.notification.queueing import WORK_QUEUES
from notifier.notification.reading import Backlog, Waiting


def of_backlog(backlog: Backlog) -> Iterable[Metric]:
    """Return the metrics of a backlog."""
    under_way = GaugeMetricFamily(
        "notifier_notifications", "Notifications that are under way.", labels=["status"]
    )
    under_way.add_metric(["pending"], backlog.pending)
    under_way.add_metric(["processing"], backlog.processing)
    yield under_way
    yield GaugeMetricFamily(
        "notifier_outcome_unknown",
        "Notifications of which an attempt may have arrived unrecorded.",
        value=backlog.outcome_unknown,
    )
    yield GaugeMetricFamily(
        "notifier_late_completions",
        "Attempts that ended after their lease.",
        value=backlog.late_completions,
    )
    yield GaugeMetricFamily(
        "notifier_unknown_messages",
        "Ids that messages named and the database does not know.",
        value=backlog.unknown_messages,
    )
    yield from _of_purged(backlog)


def of_waiting(waiting: Sequence[Waiting]) -> Metric:
    """Return for how long the oldest of each channel and lane waits; 0 where none does."""
    oldest = GaugeMetricFamily(
        "notifier_oldest_pending_seconds",
        "For how long the oldest that is due waits for an attempt.",
        labels=["type", "priority"],
    )
    found = {(each.channel, each.lane): each.oldest_s for each in waiting}
    for channel, lane in WORK_QUEUES:
        oldest.add_metric([channel.value, lane.value], found.get((channel, lane), 0.0))
    return oldest


def _of_purged(backlog: Backlog) -> Iterable[Metric]:
    gone = GaugeMetricFamily(
        "notifier_purged_notifications",
        "Notifications that retention removed.",
        labels=["type", "status"],
    )
    for (channel, status), count in backlog.purged.items():
        if status != ACCEPT:
            gone.add_metric([channel, status], count)
    yield gone
    content = CounterMetricFamily(
        "notifier_purged_content",
        "Notifications of which content alone was removed.",
        labels=["type", "reason"],
    )
    for (channel, reason), count in backlog.purged_content.items():
        content.add_metric([channel, reason], count)
    yield content
