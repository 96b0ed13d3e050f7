"""The endpoints for notifier's own processes: how each is, and draining one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, WRONG_STATE, ProblemError, not_found
from notifier.api.kit.querying import Limit, QueryModel
from notifier.api.kit.views import Page, View
from notifier.idempotency import NotFound
from notifier.roster import LATE_S, MAX_ATTEMPTS, CannotDrain, Process, Role, Roster, State

PREFIX = "/api/v1/workers"

_TAG = "Operation"


class WorkerView(View):
    """A process of notifier's, as it said of itself when it was last heard of."""

    name: str
    role: Annotated[Role, Field(description="one_process: the API with the workers inside.")]
    host: str
    pid: int
    version: str
    runner: Annotated[str | None, Field(description="The name of the process that started it.")]
    state: Annotated[
        State,
        Field(
            description="draining: it takes nothing more, and finishes what it holds. drained: it "
            "holds nothing, and takes nothing until it is taken back."
        ),
    ]
    is_late: Annotated[
        bool,
        Field(
            description=f"Whether it was not heard of for {LATE_S:.0f} seconds, and has not "
            "stopped: it hangs, was killed, or has no database."
        ),
    ]
    is_to_drain: Annotated[
        bool, Field(description="Whether it is asked to drain: it hears of it with its next beat.")
    ]
    consumes: Annotated[
        list[str], Field(description="Channels and lanes, such as email.high; empty of an API.")
    ]
    slots: Annotated[int, Field(description="How many notifications it hands over at once.")]
    busy: Annotated[int, Field(description="How many of its slots are taken.")]
    attempts: Annotated[
        list[UUID],
        Field(description=f"The notifications in them; the first {MAX_ATTEMPTS} of them."),
    ]
    handled: Annotated[
        int,
        Field(description="How many it has done with since its start, whatever became of them."),
    ]
    memory_bytes: Annotated[int, Field(description="The most memory that it ever held.")]
    restarts: Annotated[
        int,
        Field(
            description="How often a runner had to start workers again; of a worker, those before "
            "it in its place."
        ),
    ]
    started_at: datetime
    beat_at: Annotated[datetime, Field(description="When it was last heard of.")]

    @classmethod
    def of(cls, process: Process) -> Self:
        """View `process`."""
        identity, seen = process.identity, process.seen
        return cls(
            name=identity.name,
            role=identity.role,
            host=identity.host,
            pid=identity.pid,
            version=identity.version,
            runner=identity.runner,
            state=seen.state,
            is_late=process.is_late,
            is_to_drain=process.is_to_drain,
            consumes=list(seen.consumes),
            slots=seen.slots,
            busy=seen.busy,
            attempts=list(seen.attempts),
            handled=seen.handled,
            memory_bytes=seen.memory_bytes,
            restarts=seen.restarts,
            started_at=process.started_at,
            beat_at=process.beat_at,
        )


class WorkersView(Page[WorkerView]):
    """A page of processes, by their names."""


class AskedView(View):
    """What a process was asked."""

    name: str
    is_to_drain: bool


class WorkersQuery(QueryModel):
    """Which page of them."""

    limit: Limit = 50
    after: Annotated[
        str | None, Field(max_length=500, description="Where the last page ended, from its `next`.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEndpoints:
    """Shows the processes, and asks them to drain."""

    roster: Roster

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._listing(),
            self._asking("drain", "Let a worker finish what it holds, and take nothing more"),
            self._asking("resume", "Let a worker that was drained take notifications again"),
        )

    async def show(self, call: Call[None, WorkersQuery]) -> Response:
        """Show a page of processes."""
        found = await self.roster.list(limit=call.query.limit + 1, after=call.query.after)
        return call.page(found, WorkersView, WorkerView.of, lambda each: each.identity.name)

    async def ask(self, call: Call[None, None], *, drains: bool) -> Response:
        """Ask one to drain, or to take again."""
        name = call.named("name")
        answer = Answer(
            status=HTTPStatus.ACCEPTED,
            body=AskedView(name=name, is_to_drain=drains).json_value(),
        )
        ask = partial(self.roster.drain, name, is_wanted=drains)
        result: Response | NotFound | CannotDrain = await call.once(ask, answer)
        match result:
            case Response() as response:
                return response
            case NotFound():
                raise not_found()
            case CannotDrain(reason):
                raise ProblemError(WRONG_STATE, f"{name} cannot be asked that: {reason}.")

    def _listing(self) -> Operation:
        return Operation(
            id="listWorkers",
            method="GET",
            path=PREFIX,
            summary="Notifier's processes: workers, their runners and APIs",
            description="Each writes down every few seconds how it is. One that is not heard of is "
            "late, and forgotten after an hour.",
            tag=_TAG,
            serve=self.show,
            scope="admin",
            query=WorkersQuery,
            replies={200: Reply(description="A page of them", model=WorkersView)},
            problems=(INVALID,),
        )

    def _asking(self, verb: str, summary: str) -> Operation:
        return Operation(
            id=f"{verb}Worker",
            method="POST",
            path=f"{PREFIX}/{{name}}/{verb}",
            summary=summary,
            description="It hears of it within seconds. Others take what it leaves.",
            tag=_TAG,
            serve=partial(self.ask, drains=verb == "drain"),
            scope="admin",
            is_idempotent=True,
            replies={202: Reply(description="It is asked", model=AskedView)},
            problems=(NOT_FOUND, WRONG_STATE, INVALID),
        )
