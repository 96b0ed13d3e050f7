"""Moving: cancelling a notification, and replaying one that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from uuid import UUID

from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, WRONG_STATE, ProblemError, not_found
from notifier.api.notifications.answers import CancelledView, MovedView
from notifier.api.notifications.paths import PREFIX, TAG, location
from notifier.api.notifications.requests import CancelQuery, CancelRequest
from notifier.idempotency import NotFound
from notifier.notification.model import Status
from notifier.notification.orders import Erased, Orders, Refused
from notifier.notification.transitions import CANCEL, REPLAY, Transition

_PROBLEMS = (NOT_FOUND, WRONG_STATE, INVALID)


@dataclass(frozen=True, slots=True)
class _Move:
    transition: Transition
    status: HTTPStatus
    verb: str


_CANCEL = _Move(CANCEL, HTTPStatus.OK, "cancelled")
_REPLAY = _Move(REPLAY, HTTPStatus.ACCEPTED, "replayed")


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingEndpoints:
    """Changes notifications where their services ask for it."""

    orders: Orders

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._cancel_notification(),
            self._cancel_by_key(),
            self._replay_notification(),
        )

    async def cancel(self, call: Call[None, None]) -> Response:
        """Take one notification back before it is handed over."""
        return await self._move(_CANCEL, call)

    async def cancel_keyed(self, call: Call[CancelRequest, CancelQuery]) -> Response:
        """Take back all that rules made with a key and that is not handed over yet."""
        service = call.acting_for(call.query.service)
        cancelled = await self.orders.cancel_keyed(service, call.body.key)
        return ok(CancelledView(cancelled=cancelled))

    async def replay(self, call: Call[None, None]) -> Response:
        """Try one failed notification again."""
        return await self._move(_REPLAY, call)

    async def _move(self, move: _Move, call: Call[None, None]) -> Response:
        id: UUID = call.named("id")
        answer = Answer(
            status=move.status,
            body=MovedView(id=id, status=move.transition.target).json_value(),
            headers={"Location": location(call.request, id)},
        )
        change = partial(self.orders.move, move.transition, id, service=call.caller.sees)
        result: Response | NotFound | Refused | Erased = await call.once(change, answer)
        match result:
            case Response() as response:
                return response
            case NotFound():
                raise not_found()
            case Refused(status):
                raise _wrong_state(status, move)
            case Erased():
                raise _erased()

    def _cancel_notification(self) -> Operation:
        return Operation(
            id="cancelNotification",
            method="POST",
            path=f"{PREFIX}/{{id:uuid}}/cancel",
            summary="Cancel a notification that is still pending",
            tag=TAG,
            serve=self.cancel,
            scope="send",
            is_idempotent=True,
            replies={200: Reply(description="Cancelled", model=MovedView, headers=("Location",))},
            problems=_PROBLEMS,
        )

    def _cancel_by_key(self) -> Operation:
        return Operation(
            id="cancelNotifications",
            method="POST",
            path=f"{PREFIX}/cancel",
            summary="Cancel all that is still pending with a rule's key",
            description="What is under way or sent stays so. Safe to repeat.",
            tag=TAG,
            serve=self.cancel_keyed,
            scope="send",
            query=CancelQuery,
            body=CancelRequest,
            replies={200: Reply(description="How many it were", model=CancelledView)},
        )

    def _replay_notification(self) -> Operation:
        return Operation(
            id="replayNotification",
            method="POST",
            path=f"{PREFIX}/{{id:uuid}}/replay",
            summary="Send a failed notification again",
            tag=TAG,
            serve=self.replay,
            scope="send",
            is_idempotent=True,
            replies={
                202: Reply(description="Pending again", model=MovedView, headers=("Location",))
            },
            problems=_PROBLEMS,
        )


def _erased() -> ProblemError:
    return ProblemError(
        WRONG_STATE,
        "What it said is erased: there is nothing to send again.",
        members={"notification_status": Status.FAILED.value},
    )


def _wrong_state(status: Status, move: _Move) -> ProblemError:
    sources = " or ".join(sorted(move.transition.sources))
    return ProblemError(
        WRONG_STATE,
        f"It is {status}; only what is {sources} can be {move.verb}.",
        members={"notification_status": status.value},
    )
