"""What people want: their choices, when they are left in peace, and what became of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.body import pointer
from notifier.api.kit.calls import Call
from notifier.api.kit.naming import named_person
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.preconditions import IF_MATCH, if_match, in_time
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    InvalidField,
    invalid,
    not_found,
    there,
)
from notifier.api.recipients.preference_shapes import (
    MAX_VALUES,
    ChangeView,
    HistoryQuery,
    HistoryView,
    PreferencesRequest,
    PreferencesView,
)
from notifier.api.recipients.shapes import PREFIX, TAG, RecipientQuery
from notifier.audience.category import DeclaredStore
from notifier.audience.changing import PreferenceStore
from notifier.audience.choice_change import ChoiceHistory, Source
from notifier.audience.person import Person, PersonStore
from notifier.idempotency import NotFound

_PATH = f"{PREFIX}/{{user_id}}/preferences"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceEndpoints:
    """Shows what people want, and lets services say it for them."""

    people: PersonStore
    declared: DeclaredStore
    preferences: PreferenceStore
    history: ChoiceHistory
    default_zone: tzinfo

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._showing(), self._changing(), self._telling())

    async def show(self, call: Call[None, RecipientQuery]) -> Response:
        """Show what somebody wants."""
        return await self._shown(await self._person(call))

    async def change(self, call: Call[PreferencesRequest, RecipientQuery]) -> Response:
        """Change it."""
        service = call.acting_for(call.query.service)
        unfit = call.body.unfit(await self.declared.declared(service))
        if wrong := [InvalidField(pointer(("choices", *place)), why) for place, why in unfit]:
            raise invalid(wrong)
        changed = await self.preferences.change(
            service, named_person(call), call.body.wishes(), Source.API, if_match=if_match(call)
        )
        if isinstance(changed, NotFound):
            raise not_found()
        return await self._shown(in_time(changed, "state of these preferences"))

    async def tell(self, call: Call[None, HistoryQuery]) -> Response:
        """Show what became of somebody's choices."""
        person, limit = await self._person(call), call.query.limit
        found = await self.history.of(
            person.service, person.user_id, limit=limit + 1, before=call.query.after
        )
        return call.page(found, HistoryView, ChangeView.of, lambda change: change.id)

    async def _person(self, call: Call[Any, Any]) -> Person:
        service = call.acting_for(call.query.service)
        return there(await self.people.get(service, named_person(call)))

    async def _shown(self, person: Person) -> Response:
        view = PreferencesView.of(
            person, await self.declared.declared(person.service), self.default_zone
        )
        headers = {"ETag": view.etag}
        return ok(view, headers)

    def _showing(self) -> Operation:
        return Operation(
            id="getPreferences",
            method="GET",
            path=_PATH,
            summary="What somebody wants",
            description="Their choices, and what comes of them: each category that the service "
            "declared, whether it reaches them over each channel, and the row that says so.",
            tag=TAG,
            serve=self.show,
            scope="recipients",
            query=RecipientQuery,
            replies={200: _PREFERENCES},
            problems=(NOT_FOUND, INVALID),
        )

    def _changing(self) -> Operation:
        return Operation(
            id="patchPreferences",
            method="PATCH",
            path=_PATH,
            summary="Change what somebody wants",
            description="What is not named stays. The closest choice counts: of a category and a "
            "channel, of the category, of the channel, of everything; then what the category "
            "says. What cannot be switched off is refused. Each choice that is another one then "
            "is noted in the history.",
            tag=TAG,
            serve=self.change,
            scope="recipients",
            query=RecipientQuery,
            body=PreferencesRequest,
            max_values=MAX_VALUES,
            headers=(IF_MATCH,),
            replies={200: _PREFERENCES},
            problems=(NOT_FOUND, PRECONDITION_FAILED),
        )

    def _telling(self) -> Operation:
        return Operation(
            id="listPreferenceChanges",
            method="GET",
            path=f"{_PATH}/history",
            summary="What became of somebody's choices",
            description="The newest first: what was chosen, when, and how.",
            tag=TAG,
            serve=self.tell,
            scope="recipients",
            query=HistoryQuery,
            replies={200: Reply(description="One page", model=HistoryView)},
            problems=(NOT_FOUND, INVALID),
        )


_PREFERENCES = Reply(description="What they want", model=PreferencesView, headers=("ETag",))
