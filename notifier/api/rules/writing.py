"""Writing rules: drafts, and what is in force of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.preconditions import IF_MATCH, if_match, in_time, require_meant
from notifier.api.kit.problems import (
    BUSY,
    INVALID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    InvalidField,
    ProblemError,
    invalid,
    not_found,
    there,
)
from notifier.api.rules.desk import RuleDesk
from notifier.api.rules.naming import named_rule
from notifier.api.rules.reading import DRAFT, shown_draft
from notifier.api.rules.shapes import (
    MAX_VALUES,
    PREFIX,
    TAG,
    PublishedRuleView,
    RuleQuery,
    RuleRequest,
    RuleRollbackRequest,
    invalid_field,
)
from notifier.events.rule import Rule
from notifier.events.rules import MAX_RULES, RuleDraft, TooManyRules
from notifier.idempotency import LostRace


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWriting:
    """Lets a team write rules, put them in force and take them back."""

    desk: RuleDesk

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._saving(), self._publishing(), self._rolling_back(), self._removing())

    async def save(self, call: Call[RuleRequest, RuleQuery]) -> Response:
        """Store a draft that is a rule."""
        service, name = call.acting_for(call.query.service), named_rule(call)
        document = call.body.document()
        rule = self.desk.read(document)
        if not isinstance(rule, Rule):
            return await call.refuse(invalid([invalid_field(each) for each in rule]))
        saved = await self.desk.rules.save(
            service=service, name=name, document=document, if_match=if_match(call)
        )
        return await shown_draft(in_time(saved, "draft"), self.desk.reviewer)

    async def publish(self, call: Call[None, RuleQuery]) -> Response:
        """Put a draft in force."""
        draft = await self._draft(call)
        require_meant(call, draft.etag, "draft")
        flaws = await self.desk.flaws(draft.document, draft.service)
        if flaws:
            return await call.refuse(invalid([invalid_field(each) for each in flaws]))
        return await self._put_in_force(call, draft, partial(self.desk.rules.publish, draft=draft))

    async def roll_back(self, call: Call[RuleRollbackRequest, RuleQuery]) -> Response:
        """Put an earlier version in force again."""
        draft = await self._draft(call)
        change = partial(self.desk.rules.rollback, draft=draft, number=call.body.version)
        return await self._put_in_force(call, draft, change)

    async def remove(self, call: Call[None, RuleQuery]) -> Response:
        """Put a rule out of force."""
        service = call.acting_for(call.query.service)
        there(await self.desk.rules.remove(service, named_rule(call)))
        self.desk.book.forget()
        return Answer(status=HTTPStatus.NO_CONTENT).response()

    async def _put_in_force(
        self, call: Call[Any, RuleQuery], draft: RuleDraft, change: Callable[..., Any]
    ) -> Response:
        view = PublishedRuleView(name=draft.name, version=draft.next_number)
        answer = Answer(status=HTTPStatus.OK, body=view.json_value())
        result = await call.once(partial(change, id=self.desk.new_id()), answer)
        match result:
            case Response() as response:
                self.desk.book.forget()
                return response
            case TooManyRules():
                words = f"a service has at most {MAX_RULES} rules in force"
                raise invalid([InvalidField("", words)])
            case LostRace():
                words = "It was changed meanwhile. Look at it, and publish it again."
                raise ProblemError(BUSY, words)
            case _:
                raise not_found()

    async def _draft(self, call: Call[Any, RuleQuery]) -> RuleDraft:
        return there(
            await self.desk.rules.draft(call.acting_for(call.query.service), named_rule(call))
        )

    def _saving(self) -> Operation:
        return Operation(
            id="saveRuleDraft",
            method="PUT",
            path=f"{PREFIX}/{{rule}}/draft",
            summary="Write a rule's draft",
            description="What is no rule is refused with all that is wrong with it. `findings` "
            "tell what keeps it from being published, such as a template that there is not. "
            "Nothing of a draft is carried out before it is published.",
            tag=TAG,
            serve=self.save,
            scope="rules",
            query=RuleQuery,
            body=RuleRequest,
            max_values=MAX_VALUES,
            headers=(IF_MATCH,),
            replies={200: DRAFT},
            problems=(INVALID, PRECONDITION_FAILED),
        )

    def _publishing(self) -> Operation:
        return Operation(
            id="publishRule",
            method="POST",
            path=f"{PREFIX}/{{rule}}/publish",
            summary="Put a rule's draft in force as its next version",
            description="Events that came before keep the version that they have, and so do open "
            "digests; other processes take the new one within two seconds.",
            tag=TAG,
            serve=self.publish,
            scope="rules",
            query=RuleQuery,
            is_idempotent=True,
            headers=(IF_MATCH,),
            replies={200: _IN_FORCE},
            problems=(NOT_FOUND, INVALID, BUSY, PRECONDITION_FAILED),
        )

    def _rolling_back(self) -> Operation:
        return Operation(
            id="rollBackRule",
            method="POST",
            path=f"{PREFIX}/{{rule}}/rollback",
            summary="Put an earlier version in force again, as the next one",
            tag=TAG,
            serve=self.roll_back,
            scope="rules",
            query=RuleQuery,
            body=RuleRollbackRequest,
            is_idempotent=True,
            replies={200: _IN_FORCE},
            problems=(NOT_FOUND, INVALID, BUSY),
        )

    def _removing(self) -> Operation:
        return Operation(
            id="removeRule",
            method="DELETE",
            path=f"{PREFIX}/{{rule}}",
            summary="Put a rule out of force, with its draft",
            description="What it has begun is finished: what waits is sent, and open digests too.",
            tag=TAG,
            serve=self.remove,
            scope="rules",
            query=RuleQuery,
            replies={204: Reply(description="It is gone")},
            problems=(NOT_FOUND,),
        )


_IN_FORCE = Reply(description="It is in force", model=PublishedRuleView)
