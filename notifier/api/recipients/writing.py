"""People one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.naming import named_person
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.patching import patched
from notifier.api.kit.preconditions import IF_MATCH, if_match, in_time, require_meant
from notifier.api.kit.problems import (
    BUSY,
    INVALID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    InvalidField,
    ProblemError,
    invalid,
    there,
)
from notifier.api.kit.querying import next_page
from notifier.api.recipients.shapes import (
    MAX_VALUES,
    PREFIX,
    TAG,
    RecipientQuery,
    RecipientRequest,
    RecipientsQuery,
    RecipientsView,
    RecipientView,
    written_place,
)
from notifier.audience.person import Person, PersonStore, Profile, Written
from notifier.idempotency import LostRace
from notifier.notification.model import JsonValue

_MOST_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientEndpoints:
    """Lets services keep their directory."""

    people: PersonStore

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._listing(),
            self._showing(),
            self._putting(),
            self._patching(),
            self._deleting(),
        )

    async def show_page(self, call: Call[None, RecipientsQuery]) -> Response:
        """Show a page of people."""
        query = call.query
        found = await self.people.list(
            service=call.seeing(query.service),
            filter=query.filter(),
            limit=query.limit,
            after=query.after,
        )
        place = found.goes_on_after
        view = RecipientsView(
            items=[RecipientView.of(each) for each in found.people],
            next=next_page(call.request, written_place(place)) if place else None,
        )
        return ok(view)

    async def show(self, call: Call[None, RecipientQuery]) -> Response:
        """Show somebody."""
        return _shown(await self._person(call))

    async def put(self, call: Call[RecipientRequest, RecipientQuery]) -> Response:
        """Add somebody, or put this in place of what was said of them."""
        service, profile = _service(call), call.body.profile(named_person(call))
        written = await self.people.put(service, profile, if_match=if_match(call))
        became, person = in_time(written, "recipient")
        is_new = became is Written.CREATED
        return _shown(person, HTTPStatus.CREATED if is_new else HTTPStatus.OK)

    async def patch(self, call: Call[dict[str, JsonValue], RecipientQuery]) -> Response:
        """Change a part of what was said of somebody."""
        for _ in range(_MOST_TRIES):
            person = await self._person(call)
            profile = _patched(person, call.body)
            require_meant(call, person.etag, "recipient")
            written = await self.people.put(person.service, profile, if_match=person.etag)
            if not isinstance(written, LostRace):
                return _shown(written[1])
        raise ProblemError(BUSY, "Others change it all the time. Try again.")

    async def delete(self, call: Call[None, RecipientQuery]) -> Response:
        """Forget somebody."""
        which = _service(call), named_person(call)
        there(in_time(await self.people.delete(*which, if_match=if_match(call)), "recipient"))
        return Answer(status=HTTPStatus.NO_CONTENT).response()

    async def _person(self, call: Call[Any, RecipientQuery]) -> Person:
        return there(await self.people.get(_service(call), named_person(call)))

    def _listing(self) -> Operation:
        return Operation(
            id="listRecipients",
            method="GET",
            path=PREFIX,
            summary="Find people in the directory",
            description="Of the key's service, by user id; with the scope admin of all, or of "
            "`service`. A page of a search may hold fewer than `limit`, even none, and go on at "
            "`next` nevertheless.",
            tag=TAG,
            serve=self.show_page,
            scope="recipients",
            query=RecipientsQuery,
            replies={200: Reply(description="One page", model=RecipientsView)},
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getRecipient",
            method="GET",
            path=f"{PREFIX}/{{user_id}}",
            summary="Somebody in the directory",
            description=f"{_PATH} An id from before a merge leads to the same person.",
            tag=TAG,
            serve=self.show,
            scope="recipients",
            query=RecipientQuery,
            replies={200: _PERSON},
            problems=(NOT_FOUND, INVALID),
        )

    def _putting(self) -> Operation:
        return Operation(
            id="putRecipient",
            method="PUT",
            path=f"{PREFIX}/{{user_id}}",
            summary="Add somebody, or replace what is said of them",
            description=f"{_PATH} What they chose stays as it is.",
            tag=TAG,
            serve=self.put,
            scope="recipients",
            query=RecipientQuery,
            body=RecipientRequest,
            max_values=MAX_VALUES,
            headers=(IF_MATCH,),
            replies={200: _PERSON, 201: _PERSON},
            problems=(PRECONDITION_FAILED,),
        )

    def _patching(self) -> Operation:
        return Operation(
            id="patchRecipient",
            method="PATCH",
            path=f"{PREFIX}/{{user_id}}",
            summary="Change a part of what is said of somebody",
            description="JSON Merge Patch (RFC 7396): null takes a member away, a list replaces "
            f"the list. {_PATH}",
            tag=TAG,
            serve=self.patch,
            scope="recipients",
            query=RecipientQuery,
            body=RecipientRequest,
            check=_read_patch,
            max_values=MAX_VALUES,
            headers=(IF_MATCH,),
            replies={200: _PERSON},
            problems=(NOT_FOUND, PRECONDITION_FAILED, BUSY),
        )

    def _deleting(self) -> Operation:
        return Operation(
            id="deleteRecipient",
            method="DELETE",
            path=f"{PREFIX}/{{user_id}}",
            summary="Take somebody out of the directory",
            description="With their addresses, choices, memberships of topics, and all their ids; "
            "each of these may be another's then. What was accepted for them is not sent any more "
            f"if their address was to be looked up. {_PATH}",
            tag=TAG,
            serve=self.delete,
            scope="recipients",
            query=RecipientQuery,
            headers=(IF_MATCH,),
            replies={204: Reply(description="They are gone")},
            problems=(NOT_FOUND, PRECONDITION_FAILED),
        )


_PATH = "The user id is percent-encoded."
_PERSON = Reply(description="The person", model=RecipientView, headers=("ETag",))


def _service(call: Call[Any, RecipientQuery]) -> str:
    return call.acting_for(call.query.service)


def _shown(person: Person, status: HTTPStatus = HTTPStatus.OK) -> Response:
    view = RecipientView.of(person)
    return Answer(status=status, body=view.json_value(), headers={"ETag": view.etag}).response()


def _read_patch(value: JsonValue) -> object:
    return value if isinstance(value, dict) else [InvalidField("", "expected an object")]


def _patched(person: Person, patch: dict[str, JsonValue]) -> Profile:
    wanted = patched(RecipientView.of(person).document(), patch)
    read = read_strictly(RecipientRequest, wanted)
    if isinstance(read, list):
        raise invalid(read)
    return read.profile(person.user_id)
