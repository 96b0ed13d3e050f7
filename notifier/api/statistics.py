"""The endpoint for what happened over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import invalid_parameter
from notifier.api.kit.querying import QueryModel, Time
from notifier.api.kit.views import View
from notifier.clock import Clock
from notifier.notification.model import Channel, Lane
from notifier.notification.statistics import (
    Durations,
    Statistics,
    StatisticsFilter,
    Step,
    Tally,
)

MOST_STEPS = 1_500
_USUAL_STEPS = 60


class DurationsView(View):
    """How long it took from accept to hand-over, in seconds."""

    count: int
    sum: float
    p50: Annotated[float | None, Field(description="Half of them took no longer; null: none.")]
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, it: Durations) -> Self:
        """View `it`."""
        return cls(
            count=it.count,
            sum=it.seconds,
            p50=it.quantile(0.5),
            p95=it.quantile(0.95),
            p99=it.quantile(0.99),
        )


class TallyView(View):
    """What happened in a step to notifications of a channel and a priority."""

    at: Annotated[datetime, Field(description="When the step begins.")]
    type: Annotated[
        Channel | None, Field(description="Null: nothing is left of them but what happened.")
    ]
    priority: Lane | None
    accepted: int
    attempts: int
    sent: Annotated[int, Field(description="Taken by a provider.")]
    failed: Annotated[int, Field(description="For good; a replayed one may be so again.")]
    events: Annotated[
        dict[str, int], Field(description="How often each event of a timeline happened.")
    ]
    delivery_seconds: Annotated[
        DurationsView,
        Field(
            description="From accept to hand-over; of what was to wait, from when it was due. "
            "Shares are exact to a fifth of a decade."
        ),
    ]

    @classmethod
    def of(cls, it: Tally) -> Self:
        """View `it`."""
        return cls(
            at=it.at,
            type=it.channel,
            priority=it.lane,
            accepted=it.accepted,
            attempts=it.attempts,
            sent=it.sent,
            failed=it.failed,
            events=dict(it.events),
            delivery_seconds=DurationsView.of(it.delivery),
        )


class StatisticsView(View):
    """What happened, by step, type and priority; where nothing did, there is no item."""

    step: Step
    since: datetime
    before: datetime
    behind_seconds: Annotated[
        float,
        Field(description="How long ago the first event happened that is not in them; usually 0."),
    ]
    items: list[TallyView]


class StatisticsQuery(QueryModel):
    """Which statistics."""

    service: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="Of this service; for keys of all."),
    ] = None
    type: Annotated[Channel | None, Field(description="Of this type.")] = None
    priority: Annotated[Lane | None, Field(description="Of this priority.")] = None
    step: Annotated[
        Step,
        Field(description="Minutes are kept for 3 days, hours for 92, days for five years."),
    ] = Step.MINUTE
    since: Annotated[
        Time | None, Field(description="Steps that begin then or later; else the last 60.")
    ] = None
    before: Annotated[Time | None, Field(description="Steps that begin before; else now.")] = None

    def filter(self, now: datetime, service: str | None) -> StatisticsFilter:
        """Return it as the store understands it.

        Raises:
            ProblemError: 422, it is too long.
        """
        step = timedelta(seconds=self.step.length_s)
        before = self.before or now
        since = self.since or before - _USUAL_STEPS * step
        if before - since > MOST_STEPS * step:
            words = f"expected at most {MOST_STEPS:,} steps before the end"
            raise invalid_parameter("since", words)
        return StatisticsFilter(
            step=self.step,
            since=since,
            before=before,
            service=service,
            channel=self.type,
            lane=self.priority,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsEndpoints:
    """Tells what happened over time."""

    statistics: Statistics
    clock: Clock

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (
            Operation(
                id="getStatistics",
                method="GET",
                path="/api/v1/statistics",
                summary="What happened over time",
                description="How many were accepted, attempted, sent and so on, by the minute, "
                "the hour or the day, and how fast they were handed over. Each event of a "
                "timeline is counted once, a second after it happened or so.",
                tag="Operation",
                serve=self.show,
                scope="read",
                query=StatisticsQuery,
                replies={200: Reply(description="The statistics", model=StatisticsView)},
            ),
        )

    async def show(self, call: Call[None, StatisticsQuery]) -> Response:
        """Show them."""
        query = call.query
        asked = query.filter(self.clock.now(), call.seeing(query.service))
        found = await self.statistics.list(asked)
        view = StatisticsView(
            step=asked.step,
            since=asked.since.astimezone(UTC),
            before=asked.before.astimezone(UTC),
            behind_seconds=await self.statistics.behind_s(),
            items=[TallyView.of(each) for each in found],
        )
        return ok(view)
