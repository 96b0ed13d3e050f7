"""What services say of categories, and are told."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from notifier.api.kit.fields import Locale, WireType, single_line
from notifier.api.kit.hours import QuietHoursRequest, QuietHoursView
from notifier.api.kit.querying import Limit, NamedPlace, QueryModel, Service
from notifier.api.kit.views import Page, View
from notifier.audience.category import Cap, Category, Kind, Span, StoredCategory
from notifier.notification.model import Channel

_MAX_TITLES = 50
_MOST = 1_000
KindName = Literal["transactional", "subscribed", "marketing"]
SpanName = Literal["hour", "day", "week"]
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(single_line)]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class CapRequest(_Request):
    """How many somebody gets over a channel; what is more is suppressed."""

    limit: Annotated[int, Field(ge=1, le=_MOST)]
    per: Annotated[SpanName, Field(description="Of the recipient's own clocks.")]


class CategoryRequest(_Request):
    """What people choose by."""

    titles: Annotated[
        dict[Locale, Title],
        Field(max_length=_MAX_TITLES, description="What to call it on pages, by language."),
    ] = {}
    kind: KindName
    can_switch_off: Annotated[
        bool,
        Field(
            description="false is for what nobody may miss, such as codes: choices, quiet hours "
            "and unsubscriptions do not hold it up. Only what is `transactional` can be so."
        ),
    ] = True
    defaults: Annotated[
        dict[WireType, bool],
        Field(description="Whether it is on for who chose nothing, by channel; true if not said."),
    ] = {}
    cap: CapRequest | None = None

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        self.category("-", "-")
        return self

    def category(self, service: str, key: str) -> Category:
        """Return the category of this key.

        Raises:
            ValueError: who must be able to switch it off could not.
        """
        return Category(
            service=service,
            key=key,
            titles=self.titles,
            kind=Kind(self.kind),
            can_switch_off=self.can_switch_off,
            defaults=self.defaults,
            cap=Cap(self.cap.limit, Span(self.cap.per)) if self.cap else None,
        )


class CapView(View):
    """How many somebody gets over a channel."""

    limit: int
    per: SpanName


class CategoryView(View):
    """What people choose by."""

    service: str
    key: str
    titles: dict[str, str]
    kind: KindName
    can_switch_off: bool
    defaults: Annotated[dict[Channel, bool], Field(description="Of every channel.")]
    cap: CapView | None
    etag: Annotated[str, Field(description="As the header ETag has it, for If-Match.")]
    updated_at: datetime

    @classmethod
    def of(cls, it: StoredCategory) -> Self:
        """View `it`."""
        return cls(
            service=it.service,
            key=it.key,
            titles=dict(it.titles),
            kind=it.kind.value,
            can_switch_off=it.can_switch_off,
            defaults={channel: it.is_on_by_default(channel) for channel in Channel},
            cap=CapView(limit=it.cap.limit, per=it.cap.per.value) if it.cap else None,
            etag=f'"{it.etag}"',
            updated_at=it.updated_at,
        )


class CategoriesView(Page[CategoryView]):
    """One page of categories."""


class ServiceHoursRequest(_Request):
    """When to leave people in peace who say nothing themselves."""

    quiet_hours: Annotated[QuietHoursRequest | None, Field(description="null: never.")]


class ServiceHoursView(View):
    """When people are left in peace who say nothing themselves."""

    service: str
    quiet_hours: QuietHoursView | None


class CategoryQuery(QueryModel):
    """Whose."""

    service: Service = None


class CategoriesQuery(CategoryQuery):
    """Whose categories."""

    limit: Limit = 50
    after: NamedPlace = None
