"""Dry runs: what a rule would make of an event, shown and not sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.body import pointer
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, InvalidField, invalid, there
from notifier.api.rules.naming import named_rule
from notifier.api.rules.rehearsals import RehearsalRequest, RehearsedView, RuleRehearsalView
from notifier.api.rules.shapes import MAX_VALUES, PREFIX, TAG, RuleQuery, invalid_field
from notifier.events.cloudevents import read_structured
from notifier.events.event import Event
from notifier.events.expressions import Expressions
from notifier.events.rehearsing import Rehearser
from notifier.events.rule import Rule, RuleVersion
from notifier.events.rule_reading import read_rule
from notifier.events.rules import RuleDraft, RuleStore

_USUAL = {"specversion": "1.0", "id": "dry-run", "source": "/dry-run"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRehearsing:
    """Shows what rules would do."""

    rules: RuleStore
    expressions: Expressions
    rehearser: Rehearser
    new_id: Callable[[], UUID]

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._rehearsing(),)

    async def rehearse(self, call: Call[RehearsalRequest, RuleQuery]) -> Response:
        """Show what would come of an event."""
        service = call.acting_for(call.query.service)
        draft = there(await self.rules.draft(service, named_rule(call)))
        version = await self._version(draft, call.body.version)
        said = {**_USUAL, "type": _type(version), **call.body.event}
        event = read_structured(said, service)
        if not isinstance(event, Event):
            raise invalid(
                [InvalidField(pointer(("event", each.field)), each.words) for each in event]
            )
        rehearsed = await self.rehearser.rehearse(version, event)
        view = RuleRehearsalView(
            version=version.number, matches=[RehearsedView.of(each) for each in rehearsed]
        )
        return ok(view)

    async def _version(self, draft: RuleDraft, number: int | None) -> RuleVersion:
        document = draft.document
        if number is not None:
            found = await self.rules.versions(draft.service, draft.name, limit=1, before=number + 1)
            if not found or found[0].number != number:
                raise invalid([InvalidField("/version", "there is no such version")])
            document = found[0].document
        rule = read_rule(document, self.expressions.fault)
        if not isinstance(rule, Rule):
            raise invalid([invalid_field(each) for each in rule])
        return RuleVersion(
            id=self.new_id(),
            service=draft.service,
            name=draft.name,
            number=number or draft.next_number,
            rule=rule,
        )

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


def _type(version: RuleVersion) -> str:
    """Return a type of event that a rule is on."""
    on = version.rule.on
    return f"{on.removesuffix('*')}dry-run" if on.endswith(".*") else on
