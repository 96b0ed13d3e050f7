"""The endpoints for notifications: sending, following, cancelling, replaying."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TypeAlias
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from notifier.api.config import ApiConfig, ApiServices
from notifier.api.kit.access import Caller, Doorkeeper
from notifier.api.kit.body import parse_json, read_body, read_empty_body, require_json
from notifier.api.kit.checking import read_model
from notifier.api.kit.idempotency import (
    Answer,
    answered_before,
    idempotency,
    key_reused,
    remembered,
)
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    WRONG_STATE,
    InvalidField,
    ProblemError,
    invalid,
    not_found,
)
from notifier.api.kit.querying import next_page, read_query
from notifier.api.kit.trace import traceparent
from notifier.api.notifications.answers import (
    AcceptedView,
    BatchItemView,
    BatchView,
    MovedView,
    NotificationView,
    PageView,
    StatusView,
    SummaryView,
)
from notifier.api.notifications.requests import (
    BatchFrame,
    BatchRequest,
    NotificationQuery,
    NotificationRequest,
    Terms,
)
from notifier.idempotency import Applied, KeyReused, NotFound, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import JsonValue, Notification, Status
from notifier.notification.orders import MoveResult, Refused
from notifier.notification.transitions import CANCEL, REPLAY, Transition

PREFIX = "/api/v1/notifications"

_TAG = "Notifications"
_MAX_SEND_VALUES = 10_000
_MAX_BATCH_VALUES = 100_000
_ITEMS_PER_TURN = 5
_MAX_BATCH_ERRORS = 1_000

_Invalid: TypeAlias = list[InvalidField]


@dataclass(frozen=True, slots=True)
class _Move:
    transition: Transition
    status: HTTPStatus
    verb: str


_CANCEL = _Move(CANCEL, HTTPStatus.OK, "cancelled")
_REPLAY = _Move(REPLAY, HTTPStatus.ACCEPTED, "replayed")


class NotificationEndpoints:
    """Serves notifications to the services that they belong to."""

    def __init__(self, services: ApiServices, config: ApiConfig, doorkeeper: Doorkeeper) -> None:
        self._doorkeeper = doorkeeper
        self._services = services
        self._config = config
        self._channels = config.channels

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (*self._sending(), *self._following(), *self._moving())

    async def send(self, request: Request, caller: Caller) -> Response:
        """Accept one notification."""
        body = await self._json_body(request, self._config.max_body_bytes)
        terms = self._terms()
        value = parse_json(body, max_values=_MAX_SEND_VALUES)
        checked = NotificationRequest.read(value, terms)
        if isinstance(checked, list):
            return await self._refused(invalid(checked), request, caller, body)
        submission = self._submission(checked, request, caller, terms.now)
        answer = Answer(
            status=HTTPStatus.ACCEPTED,
            body=AcceptedView.of(submission).json_value(),
            headers={"Location": _location(request, submission.id)},
        )
        return await self._submit([submission], request, caller, body, answer)

    async def send_batch(self, request: Request, caller: Caller) -> Response:
        """Accept what is good of up to a thousand notifications."""
        body = await self._json_body(request, self._config.max_batch_bytes)
        terms = self._terms()
        frame = read_model(BatchFrame, parse_json(body, max_values=_MAX_BATCH_VALUES))
        if isinstance(frame, list):
            raise invalid(frame)
        self._doorkeeper.charge(request, caller, len(frame.notifications))
        checked = await _check_items(frame.notifications, terms)
        submissions, view = self._sorted_out(checked, request, caller, terms.now)
        if not submissions:
            return await self._refused(_all_invalid(checked, view), request, caller, body)
        answer = Answer(status=HTTPStatus.ACCEPTED, body=view.json_value())
        return await self._submit(submissions, request, caller, body, answer)

    async def status(self, request: Request, caller: Caller) -> Response:
        """Show where one notification stands."""
        found = await self._find(request, caller)
        timeline = await self._services.queries.timeline(found.id)
        return _ok(StatusView.of(found, timeline).json_value())

    async def show(self, request: Request, caller: Caller) -> Response:
        """Show all of one notification that may be seen."""
        found = await self._find(request, caller)
        timeline = await self._services.queries.timeline(found.id)
        return _ok(NotificationView.whole(found, timeline).json_value())

    async def show_page(self, request: Request, caller: Caller) -> Response:
        """Show a page of notifications."""
        query = read_query(NotificationQuery, request)
        found = await self._services.queries.list(
            query.filter(),
            service=caller.sees if query.service is None else caller.may_name(query.service),
            limit=query.limit,
            after=query.after,
        )
        page = PageView(
            items=[SummaryView.of(each) for each in found.items],
            next=next_page(request, found.goes_on_after) if found.goes_on_after else None,
        )
        return _ok(page.json_value())

    async def cancel(self, request: Request, caller: Caller) -> Response:
        """Take one notification back before it is handed over."""
        return await self._move(_CANCEL, request, caller)

    async def replay(self, request: Request, caller: Caller) -> Response:
        """Try one failed notification again."""
        return await self._move(_REPLAY, request, caller)

    def _terms(self) -> Terms:
        return Terms(self._services.clock.now(), self._channels)

    async def _json_body(self, request: Request, max_bytes: int) -> bytes:
        require_json(request.scope)
        return await read_body(request, max_bytes=max_bytes, timeout_s=self._config.body_timeout_s)

    def _submission(
        self, checked: NotificationRequest, request: Request, caller: Caller, now: datetime
    ) -> Submission:
        return checked.submission(
            self._services.new_id(),
            service=caller.service,
            now=now,
            traceparent=traceparent(request),
        )

    def _sorted_out(
        self,
        checked: Sequence[NotificationRequest | _Invalid],
        request: Request,
        caller: Caller,
        now: datetime,
    ) -> tuple[Sequence[Submission], BatchView]:
        submissions: list[Submission] = []
        items: list[BatchItemView] = []
        for each in checked:
            if isinstance(each, NotificationRequest):
                submissions.append(self._submission(each, request, caller, now))
                items.append(BatchItemView.accepted(submissions[-1]))
            else:
                items.append(BatchItemView.rejected(each))
        rejected = len(items) - len(submissions)
        return submissions, BatchView(accepted=len(submissions), rejected=rejected, items=items)

    async def _refused(
        self, problem: ProblemError, request: Request, caller: Caller, body: bytes
    ) -> Response:
        earlier = await answered_before(
            request, caller, body, self._config.pepper, self._services.once
        )
        if earlier is None:
            raise problem
        return earlier

    async def _submit(
        self,
        submissions: Sequence[Submission],
        request: Request,
        caller: Caller,
        body: bytes,
        answer: Answer,
    ) -> Response:
        kept = idempotency(request, caller, body, answer, self._config.pepper)
        match await self._services.submitter.submit(submissions, kept):
            case Applied():
                return answer.response()
            case Remembered(earlier):
                return remembered(earlier)
            case KeyReused():
                raise key_reused()

    async def _find(self, request: Request, caller: Caller) -> Notification:
        found = await self._services.queries.get(request.path_params["id"], service=caller.sees)
        if found is None:
            raise not_found()
        return found

    async def _move(self, move: _Move, request: Request, caller: Caller) -> Response:
        body = await read_empty_body(request, timeout_s=self._config.body_timeout_s)
        id: UUID = request.path_params["id"]
        answer = Answer(
            status=move.status,
            body=MovedView(id=id, status=move.transition.target).json_value(),
            headers={"Location": _location(request, id)},
        )
        result = await self._services.orders.move(
            move.transition,
            id,
            service=caller.sees,
            idempotency=idempotency(request, caller, body, answer, self._config.pepper),
        )
        return _moved(result, answer, move)

    def _sending(self) -> Sequence[Operation]:
        return (
            Operation(
                id="sendNotification",
                method="POST",
                path=f"{PREFIX}/send",
                summary="Send a notification",
                description="202 means that it is stored for good: it will reach a final state.",
                tag=_TAG,
                handler=self.send,
                scope="send",
                body=NotificationRequest,
                is_idempotent=True,
                is_gathered=True,
                replies={
                    202: Reply(description="Accepted", model=AcceptedView, headers=("Location",))
                },
            ),
            Operation(
                id="sendBatch",
                method="POST",
                path=f"{PREFIX}/batch",
                summary="Send up to 1,000 notifications",
                description="In one transaction, with an answer per item, in order. A bad item "
                "spoils no other; if all are bad, the problem holds the same items. "
                "Each item counts in the rate limit.",
                tag=_TAG,
                handler=self.send_batch,
                scope="send",
                body=BatchRequest,
                is_idempotent=True,
                is_gathered=True,
                replies={202: Reply(description="Accepted, all or some", model=BatchView)},
            ),
        )

    def _following(self) -> Sequence[Operation]:
        status = {200: Reply(description="Where it stands", model=StatusView)}
        return (
            Operation(
                id="getStatus",
                method="GET",
                path=f"{PREFIX}/{{id:uuid}}/status",
                summary="Where a notification stands",
                tag=_TAG,
                handler=self.status,
                scope="read",
                replies=status,
                problems=(NOT_FOUND,),
            ),
            Operation(
                id="getStatusShort",
                method="GET",
                path="/notifications/{id:uuid}/status",
                summary="Where a notification stands, by a shorter path",
                tag=_TAG,
                handler=self.status,
                scope="read",
                replies=status,
                problems=(NOT_FOUND,),
            ),
            Operation(
                id="getNotification",
                method="GET",
                path=f"{PREFIX}/{{id:uuid}}",
                summary="A notification and its timeline",
                tag=_TAG,
                handler=self.show,
                scope="read",
                replies={200: Reply(description="All of it", model=NotificationView)},
                problems=(NOT_FOUND,),
            ),
            Operation(
                id="listNotifications",
                method="GET",
                path=PREFIX,
                summary="Notifications, newest first",
                description="A page costs no more than a bound, however many there are. What is "
                "rare is looked for among some thousands at a time: a page may hold fewer than "
                "`limit`, even none, and have a `next`. Follow that until it is null.",
                tag=_TAG,
                handler=self.show_page,
                scope="read",
                query=NotificationQuery,
                replies={200: Reply(description="One page", model=PageView)},
            ),
        )

    def _moving(self) -> Sequence[Operation]:
        problems = (NOT_FOUND, WRONG_STATE, INVALID)
        return (
            Operation(
                id="cancelNotification",
                method="POST",
                path=f"{PREFIX}/{{id:uuid}}/cancel",
                summary="Cancel a notification that is still pending",
                tag=_TAG,
                handler=self.cancel,
                scope="send",
                is_idempotent=True,
                replies={
                    200: Reply(description="Cancelled", model=MovedView, headers=("Location",))
                },
                problems=problems,
            ),
            Operation(
                id="replayNotification",
                method="POST",
                path=f"{PREFIX}/{{id:uuid}}/replay",
                summary="Send a failed notification again",
                tag=_TAG,
                handler=self.replay,
                scope="send",
                is_idempotent=True,
                replies={
                    202: Reply(description="Pending again", model=MovedView, headers=("Location",))
                },
                problems=problems,
            ),
        )


async def _check_items(
    items: Sequence[JsonValue], terms: Terms
) -> Sequence[NotificationRequest | _Invalid]:
    checked: list[NotificationRequest | _Invalid] = []
    left = _MAX_BATCH_ERRORS
    for index, item in enumerate(items):
        found = NotificationRequest.read(item, terms, path=("notifications", index))
        if isinstance(found, list):
            # Of each something is told, but not so much that telling it takes seconds.
            found = found[: max(1, left)]
            left -= len(found)
        checked.append(found)
        if index % _ITEMS_PER_TURN == 0:
            # A thousand items take a while to check; other requests get their turn between.
            await asyncio.sleep(0)
    return checked


def _all_invalid(
    checked: Sequence[NotificationRequest | _Invalid], view: BatchView
) -> ProblemError:
    errors = [error for each in checked if isinstance(each, list) for error in each]
    problem = invalid(errors)
    members = {"items": view.json_value()["items"]}
    return ProblemError(
        problem.problem, problem.detail, errors=problem.more.errors, members=members
    )


def _moved(result: MoveResult, answer: Answer, move: _Move) -> Response:
    match result:
        case Applied():
            return answer.response()
        case Remembered(earlier):
            return remembered(earlier)
        case KeyReused():
            raise key_reused()
        case NotFound():
            raise not_found()
        case Refused(status):
            raise _wrong_state(status, move)


def _wrong_state(status: Status, move: _Move) -> ProblemError:
    sources = " or ".join(sorted(move.transition.sources))
    return ProblemError(
        WRONG_STATE,
        f"It is {status}; only what is {sources} can be {move.verb}.",
        members={"notification_status": status.value},
    )


def _location(request: Request, id: UUID) -> str:
    return f"{request.scope.get('root_path', '')}{PREFIX}/{id}"


def _ok(value: JsonValue) -> Response:
    return Answer(status=HTTPStatus.OK, body=value).response()
