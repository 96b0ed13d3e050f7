"""The endpoints for operators: the account, health and readiness."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal, Self

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.querying import After, QueryModel, next_page
from notifier.api.kit.views import View
from notifier.checkup import Examine, Part, State
from notifier.errors import NotifierError, SchemaError
from notifier.notification.model import Channel, Status
from notifier.notification.queueing import Queue
from notifier.notification.reading import Account, QueryStore
from notifier.providers.account import ProviderStore
from notifier.providers.standing import channel_problem, standings

_TAG = "Operation"
_BROKER_AWAY = "the broker does not answer"
_DATABASE_AWAY = "the database does not answer"


class AccountView(View):
    """The account of the newest 100,000: each of them stands in exactly one state."""

    accepted: int
    by_status: Annotated[dict[Status, int], Field(description="Every status, zeros included.")]
    purged: Annotated[
        dict[Status, int],
        Field(
            description="Those that retention removed, by the status that they had; on the last "
            "page, as they are among the oldest."
        ),
    ]
    balanced: Annotated[
        bool, Field(description="Whether accepted is the sum of by_status and purged.")
    ]
    outcome_unknown: int
    late_completions: int
    unknown_messages: Annotated[
        int,
        Field(description="Ids that messages named and the database lost, or never had."),
    ]
    queues: Annotated[
        dict[str, int] | None,
        Field(description="Messages ready in each of the broker's queues, of all services."),
    ]
    queues_problem: Annotated[str | None, Field(description="Why queues is null.")]
    next: Annotated[
        str | None,
        Field(description="Path of the account of those before these; null if there are none."),
    ]

    @classmethod
    def of(
        cls,
        account: Account,
        depths: Mapping[str, int] | None,
        problem: str | None,
        older: str | None,
    ) -> Self:
        """View `account`, whose `older` ones are there, beside the broker's `depths`."""
        return cls(
            accepted=account.accepted,
            by_status={each: account.by_status.get(each, 0) for each in Status},
            purged={each: count for each, count in account.purged.items() if count},
            balanced=account.is_balanced,
            outcome_unknown=account.outcome_unknown,
            late_completions=account.late_completions,
            unknown_messages=account.unknown_messages,
            queues=None if depths is None else dict(depths),
            queues_problem=problem,
            next=older,
        )


class PartView(View):
    """Whether one thing that notifier needs is there."""

    ok: bool
    problem: Annotated[
        str | None, Field(description="What the last that was asked of it met, in its own words.")
    ]


class ReadinessView(View):
    """Whether notifier accepts notifications, and whether they go on from here."""

    status: Annotated[
        Literal["ready", "degraded", "unavailable"],
        Field(
            description="degraded: accepts, but the broker takes no messages or a channel has no "
            "provider that may be asked, so delivery waits."
        ),
    ]
    database: PartView
    broker: PartView
    channels: Annotated[
        dict[Channel, PartView],
        Field(description="Whether a provider may be asked; empty while that is not known."),
    ]
    clock: Annotated[
        PartView,
        Field(description="Whether this machine's clock agrees with the database's, which counts."),
    ]


class ExaminedView(View):
    """A part, how it is, and what to do if it is wrong."""

    name: str
    state: State
    took_ms: Annotated[int, Field(description="How long it took to find out.")]
    detail: Annotated[str, Field(description="What was found; empty if there is nothing to say.")]
    advice: Annotated[str, Field(description="What to do; empty unless it is wrong.")]

    @classmethod
    def of(cls, part: Part) -> Self:
        """View `part`."""
        return cls(
            name=part.name,
            state=part.finding.state,
            took_ms=round(part.took_s * 1000),
            detail=part.finding.detail,
            advice=part.finding.advice,
        )


class PartsView(View):
    """Every part that notifier needs."""

    is_fine: Annotated[bool, Field(description="Whether no part is wrong.")]
    parts: list[ExaminedView]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Self:
        """View `parts`."""
        return cls(
            is_fine=all(part.finding.state is not State.WRONG for part in parts),
            parts=[ExaminedView.of(part) for part in parts],
        )


class HealthView(View):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class AccountQuery(QueryModel):
    """Which notifications to give the account of."""

    after: After = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthEndpoints:
    """Says how notifier itself is doing."""

    queries: QueryStore
    queue: Queue
    providers: ProviderStore
    clock_problem: Callable[[], str | None]
    """How far this machine's clock is off the database's; None while they agree."""
    examine: Examine
    routes: Mapping[Channel, Sequence[str]]
    """The channels that are on, with their providers."""
    probe_timeout_s: float

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._account_operation(), self._parts_operation(), *self._probe_operations())

    async def account(self, call: Call[None, AccountQuery]) -> Response:
        """Show the account, and the broker's queues beside it."""
        account = await self.queries.account(service=call.caller.sees, after=call.query.after)
        depths, problem = await self._depths()
        older = next_page(call.request, account.goes_on_after) if account.goes_on_after else None
        return ok(AccountView.of(account, depths, problem, older))

    async def parts(self, call: Call[None, None]) -> Response:
        """Look at every part, and show how it is."""
        del call
        return ok(PartsView.of(await self.examine()))

    async def health(self, call: Call[None, None]) -> Response:
        """Show that the process is alive."""
        del call
        return ok(HealthView())

    async def readiness(self, call: Call[None, None]) -> Response:
        """Show whether notifications are accepted, and whether they go on from here."""
        del call
        database, broker, channels = await asyncio.gather(
            self._database_problem(),
            self._broker_problem(),
            self._channel_problems(),
        )
        waits = broker or any(channels.values())
        view = ReadinessView(
            status="unavailable" if database else "degraded" if waits else "ready",
            database=_part(database),
            broker=_part(broker),
            channels={channel: _part(problem) for channel, problem in channels.items()},
            clock=_part(self.clock_problem()),
        )
        status = HTTPStatus.SERVICE_UNAVAILABLE if database else HTTPStatus.OK
        headers = {"Retry-After": "2"} if database else {}
        return Answer(status=status, body=view.json_value(), headers=headers).response()

    async def _depths(self) -> tuple[Mapping[str, int] | None, str | None]:
        """Return how many messages each queue has, or why that is not known."""
        try:
            async with asyncio.timeout(self.probe_timeout_s):
                depths = await self.queue.depths()
        except NotifierError as error:
            return None, str(error)
        except TimeoutError:
            return None, _BROKER_AWAY
        return {each.name: each.ready for each in depths}, None

    async def _channel_problems(self) -> Mapping[Channel, str | None]:
        try:
            async with asyncio.timeout(self.probe_timeout_s):
                states = await self.providers.states()
        except (NotifierError, TimeoutError):
            return {}
        found = standings(self.routes, states)
        return {
            channel: channel_problem(providers, found) for channel, providers in self.routes.items()
        }

    async def _broker_problem(self) -> str | None:
        # The exchange may be missing although it takes what goes nowhere.
        failure = await self._failure((self.queue.prove, self.queue.ping), _BROKER_AWAY)
        return str(failure) if failure else None

    async def _database_problem(self) -> str | None:
        looked, proved = await asyncio.gather(
            self._failure((self.queries.ping, self._look_at_schema), _DATABASE_AWAY),
            self._failure((self.queries.prove,), _DATABASE_AWAY),
        )
        # A write tells more of why there is no answer, and less of what lacks in the tables.
        found = looked if isinstance(looked, SchemaError) else proved or looked
        return str(found) if found else None

    async def _look_at_schema(self) -> None:
        if problem := await self.queries.schema_problem():
            raise SchemaError(problem)

    async def _failure(
        self, probes: Sequence[Callable[[], Awaitable[None]]], silent: str
    ) -> NotifierError | None:
        """Return what the first probe that fails raises, or `silent` if one says nothing."""
        try:
            async with asyncio.timeout(self.probe_timeout_s):
                for probe in probes:
                    await probe()
        except NotifierError as error:
            return error
        except TimeoutError:
            return NotifierError(silent)
        return None

    def _account_operation(self) -> Operation:
        return Operation(
            id="getAccount",
            method="GET",
            path="/api/v1/account",
            summary="The account: where every accepted notification stands",
            description="Of the key's service; with the scope admin, of all services. It covers "
            "the newest 100,000; `next` leads to the account of those before, and the sum of all "
            "is that of everything. While the broker is away, `queues` is null.",
            tag=_TAG,
            serve=self.account,
            scope="read",
            query=AccountQuery,
            replies={200: Reply(description="The account", model=AccountView)},
        )

    def _parts_operation(self) -> Operation:
        return Operation(
            id="examineParts",
            method="GET",
            path="/api/v1/health/parts",
            summary="How each part is, and what to do",
            description="Looks, from the API's process, at the configuration, the database, the "
            "broker and its queues, and logs in at every provider without sending anything. It "
            "lasts as long as the slowest of them: for people, and not for probes.",
            tag=_TAG,
            serve=self.parts,
            scope="admin",
            replies={200: Reply(description="What was found", model=PartsView)},
        )

    def _probe_operations(self) -> Sequence[Operation]:
        return (
            Operation(
                id="healthz",
                method="GET",
                path="/healthz",
                summary="Whether the process is alive",
                tag=_TAG,
                serve=self.health,
                replies={200: Reply(description="It is", model=HealthView)},
            ),
            Operation(
                id="readyz",
                method="GET",
                path="/readyz",
                summary="Whether notifications are accepted",
                tag=_TAG,
                serve=self.readiness,
                replies={
                    200: Reply(description="They are", model=ReadinessView),
                    503: Reply(
                        description="They are not",
                        model=ReadinessView,
                        headers=("Retry-After",),
                    ),
                },
            ),
        )


def _part(problem: str | None) -> PartView:
    return PartView(ok=problem is None, problem=problem)
