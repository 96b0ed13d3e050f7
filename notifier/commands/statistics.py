"""What happened over time, from the database."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from notifier.clock import SystemClock
from notifier.commands.answering import answering
from notifier.commands.showing import Answer, table
from notifier.composition.resources import open_stores
from notifier.notification.model import Channel, Lane
from notifier.notification.statistics import StatisticsFilter, Step, Tally
from notifier.settings.groups import DatabaseSettings

group = typer.Typer()

_COLUMNS = (
    "at", "type", "priority", "accepted", "attempts", "sent", "failed", "p50_s", "p95_s", "p99_s",
)  # fmt: skip
_SHARES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}


@group.command()
@answering
def statistics(
    *,
    step: Annotated[Step, typer.Option(help="By the minute, the hour or the day.")] = Step.HOUR,
    steps: Annotated[
        int, typer.Option(min=1, max=1_500, help="How many steps, up to now or to the end.")
    ] = 24,
    before: Annotated[
        datetime | None,
        typer.Option(help="The end (UTC).", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    service: Annotated[str | None, typer.Option(help="Of this service.")] = None,
    type: Annotated[Channel | None, typer.Option(help="Of this channel.")] = None,
    priority: Annotated[Lane | None, typer.Option(help="Of this lane.")] = None,
) -> Answer:
    """Say how many were accepted, sent and failed over time, and how fast."""
    end = before.replace(tzinfo=UTC) if before else SystemClock().now()
    asked = StatisticsFilter(
        step=step,
        since=end - steps * timedelta(seconds=step.length_s),
        before=end,
        service=service,
        channel=type,
        lane=priority,
    )
    found = asyncio.run(tallies(DatabaseSettings.from_env(os.environ), asked))
    return table(_COLUMNS, [_row(each) for each in found])


async def tallies(settings: DatabaseSettings, asked: StatisticsFilter) -> Sequence[Tally]:
    """Return what was counted."""
    async with open_stores(settings) as stores:
        return await stores.statistics.list(asked)


def _row(tally: Tally) -> Mapping[str, object]:
    shares = {name: tally.delivery.quantile(share) for name, share in _SHARES.items()}
    return {
        "at": tally.at,
        "type": tally.channel,
        "priority": tally.lane,
        "accepted": tally.accepted,
        "attempts": tally.attempts,
        "sent": tally.sent,
        "failed": tally.failed,
        **{name: None if each is None else f"{each:.3g}" for name, each in shares.items()},
    }
