"""The endpoints for retention: how long operators keep notifications."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import WireType
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, there
from notifier.api.kit.querying import QueryModel
from notifier.api.kit.views import View
from notifier.notification.model import Channel
from notifier.notification.retention import (
    LEAST_ROWS_DAYS,
    MOST_DAYS,
    RetentionRules,
    Rule,
    StoredRule,
    Terms,
)

PREFIX = "/api/v1/retention"

_TAG = "Operation"

_ContentDays = Annotated[
    int | None,
    Field(
        ge=1,
        le=MOST_DAYS,
        description="Days after its end until the content of a notification goes; null: never.",
    ),
]
_RowsDays = Annotated[
    int | None,
    Field(
        ge=LEAST_ROWS_DAYS,
        le=MOST_DAYS,
        description="Days after its end until all of a notification goes; null: never.",
    ),
]


class TermsRequest(BaseModel):
    """How long to keep."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    content_days: _ContentDays = None
    rows_days: _RowsDays = None

    def terms(self) -> Terms:
        """Return these terms."""
        return Terms(content_days=self.content_days, rows_days=self.rows_days)


class TermsView(View):
    """How long is kept."""

    content_days: int | None
    rows_days: int | None


class RetentionRuleView(TermsView):
    """How long notifications of one service are kept."""

    service: str
    type: Annotated[Channel | None, Field(description="null: of channels without a rule.")]
    updated_at: datetime

    @classmethod
    def of(cls, it: StoredRule) -> Self:
        """View `it`."""
        return cls(
            service=it.service,
            type=it.channel,
            content_days=it.terms.content_days,
            rows_days=it.terms.rows_days,
            updated_at=it.updated_at,
        )


class RetentionView(View):
    """How long notifications are kept."""

    defaults: Annotated[
        TermsView, Field(description="What NOTIFIER_RETENTION__* of this process say.")
    ]
    items: list[RetentionRuleView]


class RuleQuery(QueryModel):
    """Which rule."""

    service: Annotated[str, Field(min_length=1, max_length=200, description="Whose.")]
    type: Annotated[
        WireType | None, Field(description="The channel; without it, all that have no rule.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionEndpoints:
    """Lets operators say how long notifications are kept."""

    rules: RetentionRules
    defaults: Terms

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._listing(), self._setting(), self._removing())

    async def show(self, call: Call[None, None]) -> Response:
        """Show all rules."""
        del call
        defaults = TermsView(
            content_days=self.defaults.content_days, rows_days=self.defaults.rows_days
        )
        items = [RetentionRuleView.of(each) for each in await self.rules.all()]
        return ok(RetentionView(defaults=defaults, items=items))

    async def set(self, call: Call[TermsRequest, RuleQuery]) -> Response:
        """Add or replace a rule."""
        rule = Rule(service=call.query.service, channel=call.query.type, terms=call.body.terms())
        stored = await self.rules.set(rule)
        return ok(RetentionRuleView.of(stored))

    async def remove(self, call: Call[None, RuleQuery]) -> Response:
        """Remove a rule."""
        there(await self.rules.remove(call.query.service, call.query.type))
        return Answer(status=HTTPStatus.NO_CONTENT).response()

    def _listing(self) -> Operation:
        return Operation(
            id="getRetention",
            method="GET",
            path=PREFIX,
            summary="How long notifications are kept",
            tag=_TAG,
            serve=self.show,
            scope="admin",
            replies={200: Reply(description="All rules", model=RetentionView)},
        )

    def _setting(self) -> Operation:
        return Operation(
            id="setRetention",
            method="PUT",
            path=PREFIX,
            summary="Say how long a service's notifications are kept",
            description="After its end. Content is what was sent, with its variables, files, inbox "
            "item and capture: what failed cannot be replayed without it. The rest is what the "
            "search and the timeline show; the account goes on counting it as `purged`. It goes "
            "within a day of its term, and does not come back when a rule is removed.",
            tag=_TAG,
            serve=self.set,
            scope="admin",
            query=RuleQuery,
            body=TermsRequest,
            replies={200: Reply(description="The rule", model=RetentionRuleView)},
            problems=(INVALID,),
        )

    def _removing(self) -> Operation:
        return Operation(
            id="removeRetention",
            method="DELETE",
            path=PREFIX,
            summary="Keep a service's notifications as long as others",
            tag=_TAG,
            serve=self.remove,
            scope="admin",
            query=RuleQuery,
            replies={204: Reply(description="It is gone")},
            problems=(NOT_FOUND, INVALID),
        )
