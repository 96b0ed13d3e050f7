"""The endpoints for replays: dead letters that are tried again, many at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from starlette.responses import Response

from notifier.api.kit.answers import Answer, location, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    WRONG_STATE,
    ProblemError,
    not_found,
    there,
)
from notifier.api.replays.letters import MAX_VALUES, TAG
from notifier.api.replays.shapes import (
    BegunReplayView,
    MovedReplayView,
    ReplayInFullView,
    ReplayQuery,
    ReplayRequest,
    ReplaysQuery,
    ReplaysView,
    ReplayView,
    SurveyView,
)
from notifier.idempotency import NotFound
from notifier.replays.replay import Letters, Refused, Replay, ReplayStore, State

PREFIX = "/api/v1/replays"

_PROBLEMS = (NOT_FOUND, WRONG_STATE, INVALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayEndpoints:
    """Begins replays, tells how far they are, stops them and takes them back."""

    replays: ReplayStore
    letters: Letters
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._beginning(),
            self._listing(),
            self._showing(),
            self._moving("pause", State.PAUSED, "Try no more again for now"),
            self._moving("resume", State.RUNNING, "Go on where it was paused"),
            self._moving("stop", State.STOPPED, "End it; what it tried again goes on"),
            self._moving("undo", State.UNDOING, "End it, and take back what is not sent yet"),
        )

    async def begin(self, call: Call[ReplayRequest, ReplayQuery]) -> Response:
        """Begin a replay, or say what it would come to."""
        selection = call.body.selection(call.seeing(call.query.service))
        survey = await self.letters.survey(selection)
        if call.body.dry_run:
            return ok(SurveyView.of(survey))
        replay = Replay(
            id=self.new_id(),
            selection=selection,
            rate_per_s=call.body.rate_per_s,
            begun_by=call.caller.actor,
            expected=survey.expected,
        )
        answer = Answer(
            status=HTTPStatus.ACCEPTED,
            body=BegunReplayView(id=replay.id, expected=replay.expected).json_value(),
            headers={"Location": location(call.request, f"{PREFIX}/{replay.id}")},
        )
        return await call.once(partial(self.replays.begin, replay), answer)

    async def show_page(self, call: Call[None, ReplaysQuery]) -> Response:
        """Show a page of replays."""
        query = call.query
        found = await self.replays.list(
            service=call.seeing(query.service), limit=query.limit + 1, after=query.after
        )
        return call.page(found, ReplaysView, ReplayView.of, lambda replay: replay.id)

    async def show(self, call: Call[None, None]) -> Response:
        """Show one."""
        found = there(await self.replays.get(call.named("id"), service=call.caller.sees))
        return ok(ReplayInFullView.of(found))

    async def _move(self, to: State, call: Call[Any, Any]) -> Response:
        id: UUID = call.named("id")
        answer = Answer(
            status=HTTPStatus.OK,
            body=MovedReplayView(id=id).json_value(),
            headers={"Location": location(call.request, f"{PREFIX}/{id}")},
        )
        change = partial(self.replays.move, id, to, service=call.caller.sees)
        result: Response | NotFound | Refused = await call.once(change, answer)
        match result:
            case Response() as response:
                return response
            case NotFound():
                raise not_found()
            case Refused(state):
                raise _wrong_state(state)

    def _beginning(self) -> Operation:
        return Operation(
            id="beginReplay",
            method="POST",
            path=PREFIX,
            summary="Try dead letters again, at a rate",
            description="202 means that it is stored: what had failed by then and matches is tried "
            "again, each once. What fails again, or later, is for another replay.",
            tag=TAG,
            serve=self.begin,
            scope="send",
            query=ReplayQuery,
            body=ReplayRequest,
            max_values=MAX_VALUES,
            is_idempotent=True,
            replies={
                200: Reply(description="What it would come to", model=SurveyView),
                202: Reply(description="It begins", model=BegunReplayView, headers=("Location",)),
            },
        )

    def _listing(self) -> Operation:
        return Operation(
            id="listReplays",
            method="GET",
            path=PREFIX,
            summary="List replays, the newest first",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=TAG,
            serve=self.show_page,
            scope="read",
            query=ReplaysQuery,
            replies={200: Reply(description="One page", model=ReplaysView)},
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getReplay",
            method="GET",
            path=f"{PREFIX}/{{id:uuid}}",
            summary="How far a replay is, and where its notifications stand",
            tag=TAG,
            serve=self.show,
            scope="read",
            replies={200: Reply(description="The replay", model=ReplayInFullView)},
            problems=(NOT_FOUND,),
        )

    def _moving(self, verb: str, to: State, summary: str) -> Operation:
        return Operation(
            id=f"{verb}Replay",
            method="POST",
            path=f"{PREFIX}/{{id:uuid}}/{verb}",
            summary=summary,
            tag=TAG,
            serve=partial(self._move, to),
            scope="send",
            is_idempotent=True,
            replies={
                200: Reply(description="It is so", model=MovedReplayView, headers=("Location",))
            },
            problems=_PROBLEMS,
        )


def _wrong_state(state: State) -> ProblemError:
    return ProblemError(
        WRONG_STATE,
        f"It is {state}: that cannot be asked of it any more.",
        members={"replay_state": state.value},
    )
