"""What clients send and are answered about templates."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    WithJsonSchema,
)
from pydantic import JsonValue as PydanticJson

from notifier.api.kit.fields import CategoryKey, Locale, WireType
from notifier.api.kit.querying import Flag, Limit, NamedPlace, QueryModel, Service
from notifier.api.kit.views import Page, View
from notifier.api.templates.images import Images
from notifier.api.templates.parts import LocaleParts, Shape
from notifier.content.cascading import Cascade, Cascaded, Outcome
from notifier.content.encoding import parts_document
from notifier.content.library import Template, TemplateFilter
from notifier.content.template import (
    NAME_PATTERN,
    Content,
    Finding,
    Severity,
    TemplateVersion,
)
from notifier.expecting import WrittenAs
from notifier.notification.model import Channel

PREFIX = "/api/v1/templates"
TAG = "Templates"
MAX_BODY_BYTES = 4_000_000
MAX_VALUES = 20_000


def _number(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII):
        message = "expected a version's number, from 1"
        raise ValueError(message)
    return int(text)


Number = Annotated[int, BeforeValidator(_number), WithJsonSchema({"type": "integer", "minimum": 1})]
TemplateName = Annotated[
    str, WrittenAs(NAME_PATTERN, "expected a template's name, such as booking.confirmed")
]


class ContentShape(Shape):
    """A template's content: what is shown of a draft or a version, and what is sent of one."""

    category: Annotated[
        CategoryKey,
        Field(description="What its recipients may choose by."),
    ] = "transactional"
    default_locale: Annotated[Locale, Field(description="Taken where no better one is there.")] = (
        "en"
    )
    variables: Annotated[
        dict[str, PydanticJson],
        Field(
            alias="schema",
            default_factory=dict,
            description="JSON Schema (2020-12) of the variables.",
        ),
    ]
    examples: Annotated[
        list[dict[str, PydanticJson]],
        Field(max_length=20, description="Sets of variables, which the template is tried with."),
    ] = []  # noqa: RUF012 - pydantic copies it
    layout: Annotated[
        TemplateName | None,
        Field(description="The partial that it is put into, where that says `block content`."),
    ] = None
    partial: Annotated[
        bool,
        Field(description="Other templates take it in, as a partial or a layout; it is not sent."),
    ] = False
    images: Images = {}  # noqa: RUF012 - pydantic copies it
    parts: Annotated[
        dict[Locale, LocaleParts], Field(max_length=50, description="What it says, by language.")
    ]

    def content(self) -> Content:
        """Return it as a content."""
        return Content(
            category=self.category,
            default_locale=self.default_locale,
            schema=self.variables,
            examples=self.examples,
            parts={locale: each.by_channel() for locale, each in self.parts.items()},
            layout=self.layout,
            is_partial=self.partial,
            images=self.images,
        )


class ContentView(View):
    """A template's content, in the shape in which it is written."""

    category: str
    default_locale: str
    variables: Annotated[dict[str, PydanticJson], Field(serialization_alias="schema")]
    examples: list[dict[str, PydanticJson]]
    layout: str | None
    partial: bool
    images: dict[str, UUID]
    parts: dict[str, dict[str, dict[str, str]]]

    @classmethod
    def of(cls, it: Content) -> Self:
        """View `it`."""
        return cls(
            category=it.category,
            default_locale=it.default_locale,
            variables=dict(it.schema),
            examples=[dict(each) for each in it.examples],
            layout=it.layout,
            partial=it.is_partial,
            images=dict(it.images),
            parts=parts_document(it.parts),
        )


class FindingView(View):
    """One thing that is wrong with a content, or may be."""

    severity: Annotated[Severity, Field(description="An error is not published.")]
    code: Annotated[str, Field(description="Never changes.")]
    detail: str
    locale: str | None
    type: Channel | None
    part: str | None
    partial: Annotated[
        str | None, Field(description="The partial that the line is in; null: the template.")
    ]
    line: Annotated[int | None, Field(description="From 1.")]
    column: Annotated[int | None, Field(description="From 1.")]

    @classmethod
    def of(cls, it: Finding) -> Self:
        """View `it`."""
        return cls(
            severity=it.severity,
            code=it.code,
            detail=it.detail,
            locale=it.locale,
            type=it.channel,
            part=it.part,
            partial=it.partial,
            line=it.line,
            column=it.column,
        )


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, errors first."""
    return sorted(findings, key=lambda each: each.severity is not Severity.ERROR)


def finding_views(findings: Sequence[Finding]) -> list[FindingView]:
    """View findings, errors first."""
    return [FindingView.of(each) for each in in_order(findings)]


class TemplateQuery(QueryModel):
    """Whose template."""

    service: Service = None


class TemplatesQuery(TemplateQuery):
    """Which templates to list."""

    limit: Limit = 50
    after: NamedPlace = None
    name: Annotated[
        str | None, Field(max_length=100, description="Only with this in their names.")
    ] = None
    type: Annotated[
        WireType | None, Field(description="Only those whose drafts say something for it.")
    ] = None
    partial: Annotated[Flag | None, Field(description="Only partials, or none of them.")] = None
    archived: Annotated[Flag | None, Field(description="Only archived ones, or none of them.")] = (
        None
    )

    def filter(self) -> TemplateFilter:
        """Return which are wanted."""
        return TemplateFilter(
            name=self.name or "",
            channel=self.type,
            is_partial=self.partial,
            is_archived=self.archived,
        )


class VersionsQuery(TemplateQuery):
    """Which versions to list."""

    limit: Limit = 50
    after: Annotated[Number | None, Field(description="The last version seen.")] = None


class DiffQuery(TemplateQuery):
    """Which two versions to compare."""

    since: Annotated[Number, Field(alias="from", description="The earlier version.")]
    to: Annotated[Number, Field(description="The later version.")]


class TemplateView(View):
    """A template as it stands."""

    service: str
    name: str
    published: Annotated[int | None, Field(description="The version that is sent; null: none.")]
    archived: bool
    updated_at: datetime
    types: Annotated[list[Channel], Field(description="For which its draft says something.")]
    partial: Annotated[bool, Field(description="Whether its draft is one.")]

    @classmethod
    def of(cls, it: Template) -> Self:
        """View `it`."""
        return cls(
            service=it.service,
            name=it.name,
            published=it.published,
            archived=it.is_archived,
            updated_at=it.updated_at,
            types=[each for each in Channel if each in it.channels],
            partial=it.is_partial,
        )


class TemplatesView(Page[TemplateView]):
    """One page of templates."""


class DraftView(View):
    """A draft, and all that is found in it."""

    name: str
    etag: Annotated[str, Field(description="As the header ETag has it, for If-Match.")]
    content: ContentView
    updated_at: datetime
    findings: list[FindingView]


class VersionView(View):
    """A published version."""

    name: str
    version: int
    checksum: str
    created_at: datetime

    @classmethod
    def of(cls, it: TemplateVersion) -> Self:
        """View `it`."""
        return cls(name=it.name, version=it.number, checksum=it.checksum, created_at=it.created_at)


class WholeVersionView(VersionView):
    """A published version, as it was written."""

    content: ContentView


class VersionsView(Page[VersionView]):
    """One page of versions, the newest first."""


class CascadeQuery(TemplateQuery):
    """Whose template, and whether others are published again."""

    cascade: Annotated[
        Flag,
        Field(description="Publish again what takes this in, from the source that is published."),
    ] = False


class CascadedView(View):
    """What became of one template that takes in what was changed."""

    name: str
    outcome: Annotated[
        Outcome,
        Field(
            description="published: as `version`. unchanged: it says the same as before. refused: "
            "it has errors now, see findings. outrun: somebody else published it meanwhile."
        ),
    ]
    version: Annotated[int | None, Field(description="The one that is sent from now on.")]
    findings: list[FindingView]

    @classmethod
    def of(cls, it: Cascaded) -> Self:
        """View `it`."""
        return cls(
            name=it.name,
            outcome=it.outcome,
            version=it.version,
            findings=finding_views(it.findings),
        )


def cascaded_views(cascade: Cascade | None) -> list[CascadedView] | None:
    """View what became of each; None where nothing else was to be published."""
    return None if cascade is None else [CascadedView.of(each) for each in cascade.cascaded]


class UsersQuery(TemplateQuery):
    """Which users of a partial to list."""

    limit: Limit = 50
    after: Annotated[
        TemplateName | None, Field(description="Where the last page ended, from its `next`.")
    ] = None


class PublishedView(View):
    """A version that was published just now."""

    name: str
    version: int
    findings: list[FindingView]
    cascade: Annotated[
        list[CascadedView] | None,
        Field(description="What became of those that take it in; null if that was not asked for."),
    ] = None


class DiffView(View):
    """How two versions differ: lines of a unified diff, by locale, channel and part."""

    parts: dict[str, list[str]]


class RollbackRequest(Shape):
    """Which version's content to publish again."""

    version: Annotated[int, Field(ge=1, le=2_000_000_000)]
