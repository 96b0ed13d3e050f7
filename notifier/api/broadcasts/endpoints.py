"""The endpoints for broadcasts: one template to many people."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from starlette.responses import Response

from notifier.api.broadcasts.shapes import (
    AcceptedBroadcastView,
    BroadcastQuery,
    BroadcastRequest,
    BroadcastsQuery,
    BroadcastsView,
    BroadcastView,
    MovedBroadcastView,
    RehearsalView,
)
from notifier.api.kit.answers import Answer, location, ok
from notifier.api.kit.body import pointer
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    WRONG_STATE,
    InvalidField,
    ProblemError,
    invalid,
    not_found,
    there,
)
from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.broadcast import Broadcast, BroadcastStore, Refused, State
from notifier.idempotency import NotFound
from notifier.intake.draft import Flaw

PREFIX = "/api/v1/broadcasts"

_TAG = "Broadcasts"
_MAX_VALUES = 20_000
_PROBLEMS = (NOT_FOUND, WRONG_STATE, INVALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastEndpoints:
    """Takes broadcasts, tells how far they are, and stops them."""

    broadcasts: BroadcastStore
    announcer: Announcer

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._sending(),
            self._listing(),
            self._showing(),
            self._moving("pause", State.PAUSED, "Look at no more members for now"),
            self._moving("resume", State.EXPANDING, "Go on where it was paused"),
            self._moving("cancel", State.CANCELLED, "End it, and cancel what is not sent yet"),
        )

    async def send(self, call: Call[BroadcastRequest, BroadcastQuery]) -> Response:
        """Accept a broadcast, or say what would come of it."""
        service = call.acting_for(call.query.service)
        made = await self.announcer.announced(call.body.wish(), service=service)
        if isinstance(made, list):
            return await call.refuse(invalid(list(map(_invalid, made))))
        if call.body.dry_run:
            return ok(RehearsalView.of(await self.announcer.rehearse(made)))
        return await self._accept(made, call)

    async def show_page(self, call: Call[None, BroadcastsQuery]) -> Response:
        """Show a page of broadcasts."""
        query = call.query
        found = await self.broadcasts.list(
            service=call.seeing(query.service), limit=query.limit + 1, after=query.after
        )
        return call.page(found, BroadcastsView, BroadcastView.of, lambda broadcast: broadcast.id)

    async def show(self, call: Call[None, None]) -> Response:
        """Show one."""
        found = there(await self.broadcasts.get(call.named("id"), service=call.caller.sees))
        return ok(BroadcastView.of(found))

    async def _move(self, to: State, call: Call[None, None]) -> Response:
        id: UUID = call.named("id")
        answer = Answer(
            status=HTTPStatus.OK,
            body=MovedBroadcastView(id=id).json_value(),
            headers={"Location": location(call.request, f"{PREFIX}/{id}")},
        )
        change = partial(self.broadcasts.move, id, to, service=call.caller.sees)
        result: Response | NotFound | Refused = await call.once(change, answer)
        match result:
            case Response() as response:
                return response
            case NotFound():
                raise not_found()
            case Refused(state):
                raise _wrong_state(state)

    async def _accept(self, broadcast: Broadcast, call: Call[Any, Any]) -> Response:
        answer = Answer(
            status=HTTPStatus.ACCEPTED,
            body=AcceptedBroadcastView.of(broadcast).json_value(),
            headers={"Location": location(call.request, f"{PREFIX}/{broadcast.id}")},
        )
        return await call.once(partial(self.broadcasts.accept, broadcast), answer)

    def _sending(self) -> Operation:
        return Operation(
            id="sendBroadcast",
            method="POST",
            path=PREFIX,
            summary="Send a template to many people",
            description="202 means that it is stored for good, with the template's version: each "
            "member becomes a notification, once, as their choices are then. Members that come "
            "while it is under way are told if their user id is still ahead.",
            tag=_TAG,
            serve=self.send,
            scope="broadcasts",
            query=BroadcastQuery,
            body=BroadcastRequest,
            max_values=_MAX_VALUES,
            is_idempotent=True,
            replies={
                200: Reply(description="What would come of it", model=RehearsalView),
                202: Reply(
                    description="Accepted", model=AcceptedBroadcastView, headers=("Location",)
                ),
            },
        )

    def _listing(self) -> Operation:
        return Operation(
            id="listBroadcasts",
            method="GET",
            path=PREFIX,
            summary="List broadcasts, the newest first",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=_TAG,
            serve=self.show_page,
            scope="broadcasts",
            query=BroadcastsQuery,
            replies={200: Reply(description="One page", model=BroadcastsView)},
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getBroadcast",
            method="GET",
            path=f"{PREFIX}/{{id:uuid}}",
            summary="How far a broadcast is, and what became of its members",
            tag=_TAG,
            serve=self.show,
            scope="broadcasts",
            replies={200: Reply(description="The broadcast", model=BroadcastView)},
            problems=(NOT_FOUND,),
        )

    def _moving(self, verb: str, to: State, summary: str) -> Operation:
        return Operation(
            id=f"{verb}Broadcast",
            method="POST",
            path=f"{PREFIX}/{{id:uuid}}/{verb}",
            summary=summary,
            tag=_TAG,
            serve=partial(self._move, to),
            scope="broadcasts",
            is_idempotent=True,
            replies={
                200: Reply(description="It is so", model=MovedBroadcastView, headers=("Location",))
            },
            problems=_PROBLEMS,
        )


def _invalid(flaw: Flaw) -> InvalidField:
    return InvalidField(pointer((flaw.field, *flaw.path)), flaw.words)


def _wrong_state(state: State) -> ProblemError:
    return ProblemError(
        WRONG_STATE,
        f"It is {state}: nothing about it changes any more.",
        members={"broadcast_state": state.value},
    )
