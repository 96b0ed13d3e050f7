"""Sending: one notification, or up to a thousand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias
from uuid import UUID

from starlette.responses import Response

from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.calls import Call
from notifier.api.kit.checking import read_model
from notifier.api.kit.idempotency import Answer
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import InvalidField, ProblemError, invalid
from notifier.api.kit.trace import traceparent
from notifier.api.notifications.answers import AcceptedView, BatchItemView, BatchView
from notifier.api.notifications.paths import PREFIX, TAG, location
from notifier.api.notifications.requests import BatchFrame, BatchRequest, NotificationRequest, Terms
from notifier.clock import Clock
from notifier.intake.ports import Submission
from notifier.intake.submission import Submitter
from notifier.notification.model import Channel, JsonValue

_MAX_SEND_VALUES = 10_000
_MAX_BATCH_VALUES = 100_000
_ITEMS_PER_TURN = 5
_MAX_BATCH_ERRORS = 1_000

_Invalid: TypeAlias = list[InvalidField]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingEndpoints:
    """Accepts notifications."""

    submitter: Submitter
    clock: Clock
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""
    channels: frozenset[Channel]
    """Those that are on."""
    max_batch_bytes: int
    doorkeeper: Doorkeeper

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._send_notification(), self._send_batch())

    async def send(self, call: Call[NotificationRequest, None]) -> Response:
        """Accept one notification."""
        submission = self._submission(call.body, call, self.clock.now())
        answer = Answer(
            status=HTTPStatus.ACCEPTED,
            body=AcceptedView.of(submission).json_value(),
            headers={"Location": location(call.request, submission.id)},
        )
        return await self._submit([submission], call, answer)

    async def send_batch(self, call: Call[BatchFrame, None]) -> Response:
        """Accept what is good of up to a thousand notifications."""
        items = call.body.notifications
        self.doorkeeper.charge(call.request, call.caller, len(items))
        terms = self._terms()
        checked = await _check_items(items, terms)
        submissions, view = self._sorted_out(checked, call, terms.now)
        if not submissions:
            return await call.refuse(_all_invalid(checked, view))
        answer = Answer(status=HTTPStatus.ACCEPTED, body=view.json_value())
        return await self._submit(submissions, call, answer)

    def _check(self, value: JsonValue) -> NotificationRequest | _Invalid:
        return NotificationRequest.read(value, self._terms())

    def _terms(self) -> Terms:
        return Terms(self.clock.now(), self.channels)

    def _submission(
        self, checked: NotificationRequest, call: Call[Any, None], now: datetime
    ) -> Submission:
        return checked.submission(
            self.new_id(),
            service=call.caller.service,
            now=now,
            traceparent=traceparent(call.request),
        )

    def _sorted_out(
        self,
        checked: Sequence[NotificationRequest | _Invalid],
        call: Call[BatchFrame, None],
        now: datetime,
    ) -> tuple[Sequence[Submission], BatchView]:
        submissions: list[Submission] = []
        items: list[BatchItemView] = []
        for each in checked:
            if isinstance(each, NotificationRequest):
                submissions.append(self._submission(each, call, now))
                items.append(BatchItemView.accepted(submissions[-1]))
            else:
                items.append(BatchItemView.rejected(each))
        rejected = len(items) - len(submissions)
        return submissions, BatchView(accepted=len(submissions), rejected=rejected, items=items)

    async def _submit(
        self, submissions: Sequence[Submission], call: Call[Any, None], answer: Answer
    ) -> Response:
        return await call.once(partial(self.submitter.submit, submissions), answer)

    def _send_notification(self) -> Operation:
        return Operation(
            id="sendNotification",
            method="POST",
            path=f"{PREFIX}/send",
            summary="Send a notification",
            description="202 means that it is stored for good: it will reach a final state.",
            tag=TAG,
            serve=self.send,
            scope="send",
            body=NotificationRequest,
            check=self._check,
            max_values=_MAX_SEND_VALUES,
            is_idempotent=True,
            is_gathered=True,
            replies={202: Reply(description="Accepted", model=AcceptedView, headers=("Location",))},
        )

    def _send_batch(self) -> Operation:
        return Operation(
            id="sendBatch",
            method="POST",
            path=f"{PREFIX}/batch",
            summary="Send up to 1,000 notifications",
            description="In one transaction, with an answer per item, in order. A bad item "
            "spoils no other; if all are bad, the problem holds the same items. "
            "Each item counts in the rate limit.",
            tag=TAG,
            serve=self.send_batch,
            scope="send",
            body=BatchRequest,
            check=partial(read_model, BatchFrame),
            max_values=_MAX_BATCH_VALUES,
            max_bytes=self.max_batch_bytes,
            is_idempotent=True,
            is_gathered=True,
            replies={202: Reply(description="Accepted, all or some", model=BatchView)},
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
