"""The endpoints for erasing a person, and for the receipt of that."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import WireRecipient, WireType
from notifier.api.kit.naming import named_person
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, InvalidField, invalid, there
from notifier.api.kit.querying import QueryModel, Service
from notifier.api.kit.views import View
from notifier.audience.erasure import (
    MOST_ADDRESSES,
    AlsoKnown,
    Erasure,
    ErasureRequest,
    Erasures,
)
from notifier.audience.pseudonym import Pseudonyms

PREFIX = "/api/v1/erasures"

_TAG = "People"
_REASON = re.compile(r"[\w .:/#-]{1,100}", re.ASCII)


def _reason(text: str) -> str:
    if not _REASON.fullmatch(text):
        message = "expected up to 100 letters, digits, spaces and .:/#_-"
        raise ValueError(message)
    return text


class AlsoKnownRequest(BaseModel):
    """An address that is theirs, whatever the directory says."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Annotated[WireType, Field(description="The channel. `in-app` means `in_app`.")]
    address: WireRecipient

    def known(self) -> AlsoKnown:
        """Return it as an address of somebody's."""
        return AlsoKnown(self.type, self.address)


class EraseRequest(BaseModel):
    """Why to erase somebody, and what else is known of them."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    reason: Annotated[
        str,
        AfterValidator(_reason),
        Field(
            max_length=100,
            description="A word of yours, such as `user_request` or the number of a ticket. It "
            "stays in the receipt: name nobody.",
        ),
    ]
    also_addresses: Annotated[
        list[AlsoKnownRequest],
        Field(max_length=MOST_ADDRESSES, description="Addresses that are not in the directory."),
    ] = []
    forget_suppression: Annotated[
        bool,
        Field(
            description="Also forget that they are not to be sent to. Then whoever brings the "
            "address back sends to them again."
        ),
    ] = False


class ErasureView(View):
    """How far an erasure is; it names nobody."""

    id: UUID
    state: Literal["running", "done"]
    service: str
    reason: str
    requested_by: Annotated[str, Field(description="The id of the API key; `command`.")]
    requested_at: datetime
    finished_at: datetime | None
    erased: Annotated[dict[str, int], Field(description="What was found and erased so far.")]
    receipt: Annotated[
        dict[str, Any] | None, Field(description="Signed, and free of personal data; once done.")
    ]

    @classmethod
    def of(cls, it: Erasure) -> Self:
        """View `it`."""
        return cls(
            id=it.id,
            state="done" if it.finished_at else "running",
            service=it.service,
            reason=it.reason,
            requested_by=it.requested_by,
            requested_at=it.requested_at,
            finished_at=it.finished_at,
            erased=dict(it.counts),
            receipt=dict(it.receipt) if it.receipt else None,
        )


class BegunView(View):
    """An erasure that was asked for."""

    id: UUID


class VerifiedView(View):
    """Whether a receipt is genuine."""

    is_valid: bool


class VerifyRequest(BaseModel):
    """A receipt, as it was given."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    receipt: dict[str, Any]


class ErasureQuery(QueryModel):
    """Of which service."""

    service: Service = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureEndpoints:
    """Lets services have people erased."""

    erasures: Erasures
    pseudonyms: Pseudonyms
    new_id: Callable[[], UUID]

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._erasing(), self._showing(), self._verifying())

    async def erase(self, call: Call[EraseRequest, ErasureQuery]) -> Response:
        """Have somebody erased."""
        asked = self._asked(call)
        if asked.names_whom_it_erases():
            raise invalid([InvalidField("/reason", "stays, and must not say whom it is about")])
        answer = Answer(
            status=HTTPStatus.ACCEPTED,
            body=BegunView(id=asked.id).json_value(),
            headers={"Location": f"{PREFIX}/{asked.id}"},
        )
        return await call.once(partial(self.erasures.begin, asked), answer)

    def _asked(self, call: Call[EraseRequest, ErasureQuery]) -> ErasureRequest:
        return ErasureRequest(
            id=self.new_id(),
            service=call.acting_for(call.query.service),
            user_id=named_person(call),
            reason=call.body.reason,
            requested_by=call.caller.actor,
            also_addresses=[each.known() for each in call.body.also_addresses],
            forget_suppression=call.body.forget_suppression,
        )

    async def show(self, call: Call[None, None]) -> Response:
        """Show how far an erasure is."""
        found = there(await self.erasures.find(call.named("id"), service=call.caller.sees))
        return ok(ErasureView.of(found))

    async def verify(self, call: Call[VerifyRequest, None]) -> Response:
        """Say whether a receipt is one of ours, and unchanged."""
        return ok(VerifiedView(is_valid=self.pseudonyms.is_sealed(call.body.receipt)))

    def _erasing(self) -> Operation:
        return Operation(
            id="eraseRecipient",
            method="POST",
            path="/api/v1/recipients/{user_id}/erase",
            summary="Erase a person",
            description="Whatever this service's rows say of them goes or is replaced by a keyed "
            "hash: profile, addresses, choices, topics, inbox, content and recipients of "
            "notifications. What is pending is cancelled first. It takes as long as there is "
            "much, half a minute at least; the receipt says what was erased, and what is kept.",
            tag=_TAG,
            serve=self.erase,
            scope="recipients",
            query=ErasureQuery,
            body=EraseRequest,
            max_values=4 * MOST_ADDRESSES,
            replies={
                202: Reply(description="It begins", model=BegunView, headers=("Location",)),
            },
            problems=(INVALID, NOT_FOUND),
            is_idempotent=True,
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getErasure",
            method="GET",
            path=f"{PREFIX}/{{id:uuid}}",
            summary="How far an erasure is, and its receipt",
            tag=_TAG,
            serve=self.show,
            scope="recipients",
            replies={200: Reply(description="How far it is", model=ErasureView)},
            problems=(NOT_FOUND,),
        )

    def _verifying(self) -> Operation:
        return Operation(
            id="verifyErasure",
            method="POST",
            path=f"{PREFIX}/verify",
            summary="Whether a receipt is genuine",
            tag=_TAG,
            serve=self.verify,
            scope="recipients",
            body=VerifyRequest,
            max_values=200,
            replies={200: Reply(description="Whether it is", model=VerifiedView)},
            problems=(INVALID,),
        )
