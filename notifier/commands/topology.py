"""The broker's queues and policies."""

import os
from dataclasses import asdict

import typer

from notifier.commands.answering import answering
from notifier.commands.showing import Answer
from notifier.errors import SettingsError, TopologyError
from notifier.queue.rabbitmq import topology
from notifier.queue.rabbitmq.event_topology import apply_events, check_events
from notifier.queue.rabbitmq.topology import Item, TopologyReport
from notifier.settings.groups import BrokerSettings, TopologySettings

group = typer.Typer(help="The broker's queues and policies.", no_args_is_help=True)


@group.command()
@answering
def apply() -> Answer:
    """Make exchanges, queues, bindings and policies. Safe to run again."""
    report = apply_topology(TopologySettings.from_env(os.environ))
    return _told(report, "not all of it could be made; see the lines above")


@group.command()
@answering
def check() -> Answer:
    """Look whether all of it is there and in effect; changes nothing. Exit code 1 if not."""
    report = check_topology(TopologySettings.from_env(os.environ))
    return _told(report, "not all of it is as it must be; see what failed above")


def apply_topology(settings: TopologySettings) -> TopologyReport:
    """Make what the broker lacks.

    Raises:
        SettingsError: there is no broker, or the settings are wrong.
        TopologyError, QueueUnavailableError: it could not be made.
    """
    broker, bindings = _broker(settings), settings.events.bindings
    report = topology.apply_topology(*broker)
    return _both(report, apply_events(*broker, bindings)) if bindings else report


def check_topology(settings: TopologySettings) -> TopologyReport:
    """Look what the broker lacks; changes nothing.

    Raises:
        SettingsError: there is no broker, or the settings are wrong.
        QueueUnavailableError: it could not be looked at.
    """
    broker, bindings = _broker(settings), settings.events.bindings
    report = topology.check_topology(*broker)
    return _both(report, check_events(*broker, bindings)) if bindings else report


def _both(one: TopologyReport, other: TopologyReport) -> TopologyReport:
    return TopologyReport((*one.items, *other.items))


def _told(report: TopologyReport, otherwise: str) -> Answer:
    return Answer(
        value=[asdict(item) for item in report.items],
        words=[_line(item) for item in report.items],
        failing=None if report.is_complete else TopologyError(otherwise),
    )


def _line(item: Item) -> str:
    return f"{item.state:7}{item.kind:10}{item.name}{f': {item.detail}' if item.detail else ''}"


def _broker(settings: BrokerSettings) -> tuple[str, str | None]:
    url = settings.broker_url.get_secret_value()
    if url.startswith("memory:"):
        raise SettingsError("NOTIFIER_BROKER_URL: memory:// has no broker with queues")
    management_url = settings.broker_management_url
    return url, management_url.get_secret_value() if management_url else None
