"""Why something would reach somebody, or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.naming import named_person
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import NOT_FOUND, InvalidField, invalid, there
from notifier.api.recipients.preference_shapes import (
    ConsultedView,
    ExplainRequest,
    ExplanationView,
)
from notifier.api.recipients.shapes import PREFIX, TAG, RecipientQuery
from notifier.audience.caps import CapStore
from notifier.audience.category import DeclaredStore
from notifier.audience.person import Person, PersonStore
from notifier.audience.preference import (
    Consulted,
    Decision,
    Defer,
    Occasion,
    Send,
    Suppress,
    Why,
    cap_use,
    consulted,
    decide,
    over_cap,
)
from notifier.audience.suppression import SuppressionStore
from notifier.clock import Clock
from notifier.content.library import Library
from notifier.content.template import TemplateVersion

_NAMES = {Send: "send", Suppress: "suppress", Defer: "hold", Why: "refuse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainEndpoint:
    """Says what would become of something for somebody, and which row decides."""

    people: PersonStore
    declared: DeclaredStore
    suppressions: SuppressionStore
    caps: CapStore
    library: Library
    clock: Clock
    default_zone: tzinfo

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (self._explaining(),)

    async def explain(self, call: Call[ExplainRequest, RecipientQuery]) -> Response:
        """Decide as a send would, and change nothing."""
        service, asked = call.acting_for(call.query.service), call.body
        category = await self._category(service, asked)
        person = there(await self.people.get(service, named_person(call)))
        occasion = await self._occasion(person, asked, category)
        now = asked.at or self.clock.now()
        refusal = _refusal(asked, occasion, person)
        if refusal:
            return _answer(person, category, occasion, now, refusal, [Consulted(refusal.row, None)])
        decision, rows = await self._decided(person, occasion, now)
        return _answer(person, category, occasion, now, decision, rows)

    async def _category(self, service: str, asked: ExplainRequest) -> str | None:
        if asked.template is None:
            return asked.category
        found = await self.library.find(service, asked.template)
        if not isinstance(found, TemplateVersion):
            raise invalid([InvalidField("/template", "nothing of this name is published")])
        return found.content.category

    async def _occasion(
        self, person: Person, asked: ExplainRequest, category: str | None
    ) -> Occasion:
        declared = await self.declared.declared(person.service)
        address = person.address_for(asked.channel)
        suppression = None
        if address is not None:
            suppression = await self.suppressions.reason(
                person.service, asked.channel, address.address, category
            )
        return Occasion(
            channel=asked.channel,
            lane=asked.priority,
            category=declared.by_key.get(category or ""),
            suppression=suppression,
            quiet_hours=declared.quiet_hours,
            default_zone=self.default_zone,
            key=category,
        )

    async def _decided(
        self, person: Person, occasion: Occasion, now: datetime
    ) -> tuple[Decision, Sequence[Consulted]]:
        """Return the decision, and the rows that were looked at."""
        row = _address_row(occasion)
        rows = [Consulted(row, "there is one"), *consulted(occasion, person, now)]
        decision = decide(occasion, person, now)
        use = cap_use(occasion, person, now)
        if use is None or not isinstance(decision, Send):
            return decision, rows
        capped, used = over_cap(use), await self.caps.used(use)
        rows.append(Consulted(capped.why.row, f"{used} of {use.limit}"))
        return (decision if used < use.limit else capped), rows

    def _explaining(self) -> Operation:
        return Operation(
            id="explainRecipient",
            method="POST",
            path=f"{PREFIX}/{{user_id}}/explain",
            summary="Why something would reach somebody, or not",
            description="Decides as a send would, and changes nothing: the decision, the row that "
            "made it, and all rows that were looked at, in order. Whoever asks for the past is "
            "answered by what is there now.",
            tag=TAG,
            serve=self.explain,
            scope="recipients",
            query=RecipientQuery,
            body=ExplainRequest,
            replies={200: Reply(description="The decision", model=ExplanationView)},
            problems=(NOT_FOUND,),
        )


def _refusal(asked: ExplainRequest, occasion: Occasion, person: Person) -> Why | None:
    """Say why such a send would not be taken."""
    if asked.category is not None and occasion.category is None:
        words = f"the service has declared no category {asked.category}: a send that names it"
        return Why("no_category", f"{words} is refused", f"categories/{asked.category}")
    if person.address_for(occasion.channel) is None:
        words = f"they have no address for {occasion.channel}"
        return Why("no_address", words, _address_row(occasion))
    return None


def _address_row(occasion: Occasion) -> str:
    return f"addresses/{occasion.channel}"


def _answer(
    person: Person,
    category: str | None,
    occasion: Occasion,
    now: datetime,
    decision: Decision | Why,
    rows: Sequence[Consulted],
) -> Response:
    why = decision if isinstance(decision, Why) else decision.why
    view = ExplanationView.model_validate(
        {
            "user_id": person.user_id,
            "channel": occasion.channel,
            "category": category,
            "is_declared": occasion.category is not None,
            "at": now,
            "decision": _NAMES[type(decision)],
            "until": decision.until if isinstance(decision, Defer) else None,
            "code": why.code,
            "detail": why.words,
            "row": why.row,
            "rows": [ConsultedView.of(each) for each in rows],
        }
    )
    return ok(view)
