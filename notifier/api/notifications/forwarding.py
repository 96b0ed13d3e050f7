"""Forwarding: what a notification said, sent to another address."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer
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
)
from notifier.api.notifications.answers import AcceptedView, accepted
from notifier.api.notifications.paths import PREFIX, TAG, location
from notifier.idempotency import NotFound
from notifier.intake.draft import Flaw
from notifier.intake.forwarding import Edit, Forwarder
from notifier.intake.ports import Submission
from notifier.intake.submission import Submitter
from notifier.notification.model import Status
from notifier.notification.orders import Erased, Refused


class ForwardRequest(BaseModel):
    """Where to."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    recipient: Annotated[
        str, Field(min_length=1, max_length=320, description="An address of the same channel.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardingEndpoint:
    """Forwards notifications where their services ask for it."""

    forwarder: Forwarder
    submitter: Submitter

    def operations(self) -> Sequence[Operation]:
        """Declare it."""
        return (
            Operation(
                id="forwardNotification",
                method="POST",
                path=f"{PREFIX}/{{id:uuid}}/forward",
                summary="Send what a notification said to another address",
                description="As a notification of its own, with the same content in the same "
                "version. The first one stays as it is; each names the other.",
                tag=TAG,
                serve=self.forward,
                scope="send",
                body=ForwardRequest,
                is_idempotent=True,
                replies={
                    202: Reply(description="Accepted", model=AcceptedView, headers=("Location",))
                },
                problems=(NOT_FOUND, WRONG_STATE, INVALID),
            ),
        )

    async def forward(self, call: Call[ForwardRequest, None]) -> Response:
        """Accept another notification of the same content."""
        found = await self.forwarder.submission(
            call.named("id"), Edit(recipient=call.body.recipient), service=call.caller.sees
        )
        made = submission_of(found)
        body = accepted(made)
        headers = {"Location": location(call.request, made.id)}
        answer = Answer(status=HTTPStatus.ACCEPTED, body=body, headers=headers)
        return await call.once(partial(self.submitter.submit, [made]), answer)


def submission_of(
    found: Submission | Sequence[Flaw] | NotFound | Refused | Erased,
) -> Submission:
    """Return what is to be submitted.

    Raises:
        ProblemError: 404, 409 or 422, why there is nothing.
    """
    match found:
        case Submission():
            return found
        case NotFound():
            raise not_found()
        case Refused(status):
            raise _wrong_state(f"It is {status}: only what has come to its end can be.", status)
        case Erased():
            raise _wrong_state("What it said is erased: there is nothing to send.", None)
        case flaws:
            raise invalid([InvalidField(f"/{each.field}", each.words) for each in flaws])


def _wrong_state(words: str, status: Status | None) -> ProblemError:
    members = {"notification_status": status.value} if status else {}
    return ProblemError(WRONG_STATE, words, members=members)
