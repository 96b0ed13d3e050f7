"""Reading rules: what there is, drafts, and what was published."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import NOT_FOUND, there
from notifier.api.kit.querying import named_place
from notifier.api.rules.naming import named_rule
from notifier.api.rules.shapes import (
    PREFIX,
    TAG,
    RuleDraftView,
    RuleQuery,
    RulesQuery,
    RulesView,
    RuleVersionsQuery,
    RuleVersionsView,
    RuleVersionView,
    RuleView,
)
from notifier.events.reviewing import Reviewer
from notifier.events.rule import Rule
from notifier.events.rule_reading import read_rule
from notifier.events.rules import RuleDraft, RuleStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReading:
    """Shows rules and their versions."""

    rules: RuleStore
    reviewer: Reviewer

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._listing(), self._showing(), self._listing_versions())

    async def show_page(self, call: Call[None, RulesQuery]) -> Response:
        """Show a page of rules."""
        query = call.query
        found = await self.rules.list(
            service=call.seeing(query.service), limit=query.limit + 1, after=query.after
        )
        return call.page(found, RulesView, RuleView.of, named_place)

    async def show_draft(self, call: Call[None, RuleQuery]) -> Response:
        """Show a draft, and what keeps it from being published."""
        service = call.acting_for(call.query.service)
        found = there(await self.rules.draft(service, named_rule(call)))
        return await shown_draft(found, self.reviewer)

    async def show_versions(self, call: Call[None, RuleVersionsQuery]) -> Response:
        """Show a page of versions."""
        query = call.query
        found = await self.rules.versions(
            call.acting_for(query.service),
            named_rule(call),
            limit=query.limit + 1,
            before=query.after,
        )
        return call.page(found, RuleVersionsView, RuleVersionView.of, lambda each: each.number)

    def _listing(self) -> Operation:
        return Operation(
            id="listRules",
            method="GET",
            path=PREFIX,
            summary="List rules",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=TAG,
            serve=self.show_page,
            scope="rules",
            query=RulesQuery,
            replies={200: Reply(description="One page", model=RulesView)},
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getRuleDraft",
            method="GET",
            path=f"{PREFIX}/{{rule}}/draft",
            summary="A rule's draft, and what keeps it from being published",
            tag=TAG,
            serve=self.show_draft,
            scope="rules",
            query=RuleQuery,
            replies={200: DRAFT},
            problems=(NOT_FOUND,),
        )

    def _listing_versions(self) -> Operation:
        return Operation(
            id="listRuleVersions",
            method="GET",
            path=f"{PREFIX}/{{rule}}/versions",
            summary="What was published of a rule, the newest first",
            tag=TAG,
            serve=self.show_versions,
            scope="rules",
            query=RuleVersionsQuery,
            replies={200: Reply(description="One page", model=RuleVersionsView)},
        )


DRAFT = Reply(description="The draft", model=RuleDraftView, headers=("ETag",))


async def shown_draft(draft: RuleDraft, reviewer: Reviewer) -> Response:
    """Return the answer that shows a draft."""
    rule = read_rule(draft.document)
    flaws = await reviewer.flaws(rule, draft.service) if isinstance(rule, Rule) else rule
    view = RuleDraftView.found(draft, flaws)
    return ok(view, {"ETag": view.etag})
