"""Sending: one notification, or up to a thousand."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias

from starlette.responses import Response

from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.answers import Answer
from notifier.api.kit.body import pointer
from notifier.api.kit.calls import Call
from notifier.api.kit.checking import read_model
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import InvalidField, ProblemError, invalid
from notifier.api.kit.trace import traceparent
from notifier.api.notifications.answers import (
    AcceptedView,
    BatchView,
    JsonObject,
    accepted,
    accepted_item,
    rejected_item,
)
from notifier.api.notifications.decoding import decode_batch, decode_notification
from notifier.api.notifications.paths import PREFIX, TAG, location
from notifier.api.notifications.requests import (
    MAX_BATCH_VALUES,
    MAX_SEND_VALUES,
    BatchFrame,
    BatchRequest,
    NotificationRequest,
    Reading,
    read_notification,
)
from notifier.intake.draft import Flaw
from notifier.intake.drafting import Drafter
from notifier.intake.ports import Submission
from notifier.intake.submission import Submitter
from notifier.notification.model import JsonValue

_ITEMS_PER_TURN = 5
_MAX_BATCH_ERRORS = 1_000

_Invalid: TypeAlias = list[InvalidField]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingEndpoints:
    """Accepts notifications."""

    submitter: Submitter
    drafter: Drafter
    max_batch_bytes: int
    doorkeeper: Doorkeeper

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._send_notification(), self._send_batch())

    async def send(self, call: Call[Reading, None]) -> Response:
        """Accept one notification."""
        [outcome] = await self._outcomes([call.body], call)
        if isinstance(outcome, list):
            return await call.refuse(invalid(outcome))
        body = accepted(outcome)
        headers = {"Location": location(call.request, str(body["id"]))}
        answer = Answer(status=HTTPStatus.ACCEPTED, body=body, headers=headers)
        return await self._submit([outcome], call, answer)

    async def send_batch(self, call: Call[BatchFrame | Sequence[Reading], None]) -> Response:
        """Accept what is good of up to a thousand notifications."""
        batch = call.body
        self.doorkeeper.charge(call.request, call.caller, len(batch))
        readings = await _read_items(batch) if isinstance(batch, BatchFrame) else batch
        outcomes = await self._outcomes(readings, call)
        submissions = [each for each in outcomes if isinstance(each, Submission)]
        view = _view(outcomes, len(submissions))
        if not submissions:
            return await call.refuse(_all_invalid(outcomes, view))
        answer = Answer(status=HTTPStatus.ACCEPTED, body=view)
        return await self._submit(submissions, call, answer)

    async def _outcomes(
        self, readings: Sequence[Reading], call: Call[Any, None]
    ) -> Sequence[Submission | _Invalid]:
        """Return a submission of each, or what is wrong with it."""
        made = await self.drafter.submissions(
            [each.draft for each in readings],
            service=call.caller.service,
            traceparent=traceparent(call.request),
        )
        return list(map(_outcome, readings, made))

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
            check=read_notification,
            decode=decode_notification,
            max_values=MAX_SEND_VALUES,
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
            decode=decode_batch,
            max_values=MAX_BATCH_VALUES,
            max_bytes=self.max_batch_bytes,
            is_idempotent=True,
            is_gathered=True,
            replies={202: Reply(description="Accepted, all or some", model=BatchView)},
        )


async def _read_items(batch: BatchFrame) -> Sequence[Reading]:
    readings: list[Reading] = []
    left = _MAX_BATCH_ERRORS
    for index, item in enumerate(batch.notifications):
        reading = read_notification(item, path=("notifications", index))
        # Of each something is told, but not so much that telling it takes seconds.
        del reading.errors[max(1, left) :]
        left -= len(reading.errors)
        readings.append(reading)
        if index % _ITEMS_PER_TURN == 0:
            # A thousand items take a while to read; other requests get their turn between.
            await asyncio.sleep(0)
    return readings


def _outcome(reading: Reading, made: Submission | list[Flaw]) -> Submission | _Invalid:
    if isinstance(made, Submission):
        return reading.errors or made
    flaws = (each for each in made if not each.rests_on(reading.wrong))
    return [
        *reading.errors,
        *(
            InvalidField(pointer((*reading.path, each.field, *each.path)), each.words)
            for each in flaws
        ),
    ]


def _view(outcomes: Sequence[Submission | _Invalid], accepted: int) -> JsonObject:
    """Return what a `BatchView` is as JSON."""
    items: list[JsonValue] = [
        rejected_item(each) if isinstance(each, list) else accepted_item(each) for each in outcomes
    ]
    return {"accepted": accepted, "rejected": len(items) - accepted, "items": items}


def _all_invalid(outcomes: Sequence[Submission | _Invalid], view: JsonObject) -> ProblemError:
    errors = [error for each in outcomes if isinstance(each, list) for error in each]
    problem = invalid(errors)
    members = {"items": view["items"]}
    return ProblemError(
        problem.problem, problem.detail, errors=problem.more.errors, members=members
    )
