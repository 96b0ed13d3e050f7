"""Two who turned out to be one person."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.naming import named_person
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import NOT_FOUND, InvalidField, invalid, not_found
from notifier.api.recipients.shapes import (
    PREFIX,
    TAG,
    MergeRequest,
    RecipientQuery,
    RecipientView,
)
from notifier.audience.person import NobodyToMerge, PersonStore
from notifier.idempotency import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientMerges:
    """Makes one person of two."""

    people: PersonStore

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (self._merging(),)

    async def merge(self, call: Call[MergeRequest, RecipientQuery]) -> Response:
        """Give somebody all that another has."""
        service, user_id, from_id = _asked(call)
        if from_id == user_id:
            raise invalid([InvalidField("/from", "that is the same id")])
        match await self.people.merge(service, user_id, from_id=from_id):
            case NotFound():
                raise not_found()
            case NobodyToMerge():
                raise invalid([InvalidField("/from", "there is nobody of this id")])
            case person:
                view = RecipientView.of(person)
                return ok(view, {"ETag": view.etag})

    def _merging(self) -> Operation:
        return Operation(
            id="mergeRecipient",
            method="POST",
            path=f"{PREFIX}/{{user_id}}/merge",
            summary="Make one person of two",
            description="What the person of `from` has is this one's: addresses, memberships of "
            "topics, what is in their inbox, and what waits to be sent. Where both say something "
            "this one wins, but what either has switched off stays off. The id `from` leads to "
            "this person from then on. May be repeated.",
            tag=TAG,
            serve=self.merge,
            scope="recipients",
            query=RecipientQuery,
            body=MergeRequest,
            replies={200: Reply(description="The person", model=RecipientView, headers=("ETag",))},
            problems=(NOT_FOUND,),
        )


def _asked(call: Call[MergeRequest, RecipientQuery]) -> tuple[str, str, str]:
    return call.acting_for(call.query.service), named_person(call), call.body.from_id
