"""What services say of rules, and are told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from notifier.api.kit.body import pointer
from notifier.api.kit.problems import InvalidField
from notifier.api.kit.querying import Limit, NamedPlace, QueryModel, Seq, Service
from notifier.api.kit.views import Page, View
from notifier.events.rules import RuleDraft, WrittenRule
from notifier.events.written import RuleFlaw

PREFIX = "/api/v1/rules"
TAG = "Rules"
MAX_VALUES = 2_000
MAX_VERSION = 2_000_000_000

_EXAMPLE: JsonDict = {
    "on": "order.shipped",
    "when": "data.total > 100",
    "to": "data.user_id",
    "key": "data.order_id",
    "cancelled_by": ["order.cancelled"],
    "variables": {"order": "data.order_id"},
    "steps": [
        {"send": ["in_app"], "template": "order.shipped"},
        {"delay": "10m"},
        {"unless": "read"},
        {"send": ["email"], "template": "order.shipped"},
    ],
}


class RuleRequest(BaseModel):
    """A rule as its team writes it."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [_EXAMPLE]},
    )

    on: Annotated[
        JsonValue,
        Field(description="The type of its events: one, such as `order.shipped`, or `order.*`."),
    ] = None
    when: Annotated[
        JsonValue, Field(description="An expression; without it, for every event of the type.")
    ] = None
    to: Annotated[
        JsonValue,
        Field(
            description="An expression: a user id, a list of at most 100 of them, or objects with "
            "`user_id`, `recipient` or both; or an object with `topic`."
        ),
    ] = None
    key: Annotated[
        JsonValue,
        Field(
            description="An expression: it is carried out once for each, for each person, and "
            "taken back by it."
        ),
    ] = None
    cancelled_by: Annotated[
        JsonValue,
        Field(description="Types of events that take back what is pending, by the same key."),
    ] = None
    variables: Annotated[
        JsonValue,
        Field(
            description="What templates are filled with: expressions by name. Without it, the "
            "event's data, as far as the template declares it."
        ),
    ] = None
    lane: Annotated[JsonValue, Field(description="`high`, `normal` or `bulk`.")] = None
    category: Annotated[
        JsonValue,
        Field(description="What people choose by, instead of the templates' own categories."),
    ] = None
    steps: Annotated[
        JsonValue,
        Field(
            description="What is done, one after the other: send, delay, digest, unless, throttle."
        ),
    ] = None

    def document(self) -> dict[str, Any]:
        """Return it as it was written."""
        return self.model_dump(exclude_unset=True)


class RuleRollbackRequest(BaseModel):
    """Which version is to be in force again."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]


class RuleQuery(QueryModel):
    """Whose rule."""

    service: Service = None


class RulesQuery(RuleQuery):
    """Which rules to list."""

    limit: Limit = 50
    after: NamedPlace = None


class RuleVersionsQuery(RuleQuery):
    """Which versions to list."""

    limit: Limit = 50
    after: Annotated[Seq | None, Field(le=MAX_VERSION, description="The last version seen.")] = None


class RuleFindingView(View):
    """Something that keeps a draft from being published as things are."""

    pointer: str
    detail: str


class RuleView(View):
    """A rule, as it stands."""

    service: str
    name: str
    published: Annotated[int | None, Field(description="The version in force; null: none is.")]
    etag: str
    updated_at: datetime

    @classmethod
    def of(cls, draft: RuleDraft) -> Self:
        """Show a rule."""
        return cls(
            service=draft.service,
            name=draft.name,
            published=draft.published,
            etag=f'"{draft.etag}"',
            updated_at=draft.updated_at,
        )


class RuleDraftView(RuleView):
    """A rule, and its draft."""

    rule: JsonValue
    findings: list[RuleFindingView]

    @classmethod
    def found(cls, draft: RuleDraft, flaws: Sequence[RuleFlaw]) -> Self:
        """Show a draft, and what was found in it."""
        findings = [
            RuleFindingView(pointer=pointer(each.path), detail=each.words) for each in flaws
        ]
        own = RuleView.of(draft).model_dump()
        return cls(**own, rule=draft.document, findings=findings)


class RulesView(Page[RuleView]):
    """A page of rules."""


class PublishedRuleView(View):
    """What is in force from now on."""

    name: str
    version: int


class RuleVersionView(View):
    """A rule as it was published."""

    id: UUID
    version: int
    created_at: datetime
    rule: JsonValue

    @classmethod
    def of(cls, written: WrittenRule) -> Self:
        """Show a version."""
        return cls(
            id=written.id,
            version=written.number,
            created_at=written.created_at,
            rule=written.document,
        )


class RuleVersionsView(Page[RuleVersionView]):
    """A page of versions, the newest first."""


def invalid_field(flaw: RuleFlaw) -> InvalidField:
    """Return what is wrong with a rule, as problems have it."""
    return InvalidField(pointer(flaw.path), flaw.words)
