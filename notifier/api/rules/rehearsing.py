"""Dry runs: what a rule would make of an event, shown and not sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, InvalidField, invalid, there
from notifier.api.rules.desk import RuleDesk
from notifier.api.rules.naming import named_rule
from notifier.api.rules.rehearsals import RehearsalRequest, RehearsedView, RuleRehearsalView
from notifier.api.rules.shapes import MAX_VALUES, PREFIX, TAG, RuleQuery, invalid_field
from notifier.events.rule import Rule
from notifier.events.rules import RuleDraft
from notifier.notification.model import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRehearsing:
    """Shows what rules would do."""

    desk: RuleDesk

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._rehearsing(),)

    async def rehearse(self, call: Call[RehearsalRequest, RuleQuery]) -> Response:
        """Show what would come of an event."""
        service = call.acting_for(call.query.service)
        draft = there(await self.desk.rules.draft(service, named_rule(call)))
        number = call.body.version
        rule = self.desk.read(await self._document(draft, number))
        if not isinstance(rule, Rule):
            raise invalid([invalid_field(each) for each in rule])
        version = number or draft.next_number
        event = self.desk.event(service, rule, call.body.event)
        if isinstance(event, list):
            raise invalid(event)
        made = await self.desk.rehearse(draft.name, version, rule, event)
        return ok(
            RuleRehearsalView(version=version, matches=[RehearsedView.of(each) for each in made])
        )

    async def _document(self, draft: RuleDraft, number: int | None) -> JsonValue:
        if number is None:
            return draft.document
        rules = self.desk.rules
        found = await rules.versions(draft.service, draft.name, limit=1, before=number + 1)
        if not found or found[0].number != number:
            raise invalid([InvalidField("/version", "there is no such version")])
        return found[0].document

    def _rehearsing(self) -> Operation:
        return Operation(
            id="rehearseRule",
            method="POST",
            path=f"{PREFIX}/{{rule}}/dry-run",
            summary="What a rule would make of an event",
            description="Of the draft, or of a `version`. It goes the way of a real event, and "
            "nothing is stored or sent: neither keys that were seen before nor throttles count.",
            tag=TAG,
            serve=self.rehearse,
            scope="rules",
            query=RuleQuery,
            body=RehearsalRequest,
            max_values=MAX_VALUES * 10,
            replies={200: Reply(description="What would come of it", model=RuleRehearsalView)},
            problems=(NOT_FOUND, INVALID),
        )
