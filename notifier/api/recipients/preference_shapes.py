"""What services say of people's choices, and are told."""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from notifier.api.kit.fields import CategoryKey, WireLane, WireTemplate, WireTime, WireType
from notifier.api.kit.hours import QuietHoursRequest, QuietHoursView
from notifier.api.kit.preconditions import quoted
from notifier.api.kit.querying import Limit, parse_seq
from notifier.api.kit.views import Page, View
from notifier.api.recipients.shapes import RecipientQuery
from notifier.audience.category import Category, Declared
from notifier.audience.changing import Wishes, preferences_etag
from notifier.audience.choice_change import NotedChange
from notifier.audience.choices import ANY, Choices, Place
from notifier.audience.person import Person
from notifier.audience.preference import Consulted, chosen
from notifier.expecting import WrittenAs
from notifier.notification.model import Channel, Lane

MAX_VALUES = 1_000
_MAX_CHOICES = 101

CategoryOrAny = Annotated[
    str, WrittenAs(r"^(\*|[a-z0-9_.-]{1,64})$", "expected a category's key, or * for all of them")
]
ChannelOrAny = Literal["email", "sms", "in_app", "*"]
KindName = Literal["transactional", "subscribed", "marketing"]
IsOn = Annotated[
    bool | None, Field(description="null takes the choice back: what the service declared counts.")
]


class PreferencesRequest(BaseModel):
    """What somebody wants changed; what is not named stays."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    choices: Annotated[
        dict[CategoryOrAny, dict[ChannelOrAny, IsOn] | None],
        Field(
            max_length=_MAX_CHOICES,
            description="By category and channel; `*` is any. null takes back all of a category.",
        ),
    ] = {}
    quiet_hours: Annotated[
        QuietHoursRequest | None, Field(description="null: those of the service count.")
    ] = None

    def wishes(self) -> Wishes:
        """Return it as what is to be changed."""
        return Wishes(
            choices={
                (category, channel): is_on
                for category, wanted in self.choices.items()
                for channel, is_on in (_TAKEN_BACK if wanted is None else wanted).items()
            },
            quiet_hours=self.quiet_hours.hours() if self.quiet_hours else None,
            sets_quiet_hours="quiet_hours" in self.model_fields_set,
        )

    def unfit(self, declared: Declared) -> Iterable[tuple[Place, str]]:
        """Return the places of choices that cannot be made, and why."""
        for (category, channel), is_on in self.wishes().choices.items():
            known = declared.by_key.get(category)
            if known is None and category != ANY and is_on is not None:
                yield (category, channel), "the service has declared no such category"
            if known and not known.can_switch_off and is_on is False:
                yield (category, channel), "it cannot be switched off"


_TAKEN_BACK: Mapping[str, bool | None] = dict.fromkeys((*map(str, Channel), ANY), None)


class ExplainRequest(BaseModel):
    """What would be sent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    channel: WireType
    category: Annotated[CategoryKey | None, Field(description="What people choose by.")] = None
    template: Annotated[WireTemplate, Field(description="The template whose category it is.")] = (
        None
    )
    priority: Annotated[WireLane, Field(description="How urgent it would be.")] = Lane.NORMAL
    at: Annotated[WireTime | None, Field(description="When; null: now.")] = None

    @model_validator(mode="after")
    def _one_category(self) -> Self:
        if self.category is not None and self.template is not None:
            message = "name a category or a template, not both"
            raise ValueError(message)
        return self


class StateView(View):
    """Whether somebody gets a category over a channel, and what says so."""

    is_on: bool
    code: Annotated[str, Field(description="`choice`, `category_default` or `required`.")]
    detail: str
    row: str


class ChosenCategoryView(View):
    """A category, as it is for somebody."""

    key: str
    title: Annotated[str, Field(description="In their language, as far as there is one.")]
    kind: KindName
    can_switch_off: bool
    channels: dict[Channel, StateView]

    @classmethod
    def of(cls, it: Category, person: Person) -> Self:
        """View `it`."""
        return cls(
            key=it.key,
            title=it.title(person.locale),
            kind=it.kind.value,
            can_switch_off=it.can_switch_off,
            channels={channel: _state(it, channel, person) for channel in Channel},
        )


def _state(category: Category, channel: Channel, person: Person) -> StateView:
    is_on, why = chosen(category, channel, person.choices)
    return StateView(is_on=is_on, code=why.code, detail=why.words, row=why.row)


class PreferencesView(View):
    """What somebody wants."""

    service: str
    user_id: str
    choices: Annotated[
        dict[str, dict[str, bool]], Field(description="What they chose, by category and channel.")
    ]
    quiet_hours: Annotated[
        QuietHoursView | None, Field(description="Their own; null: those of the service count.")
    ]
    service_quiet_hours: QuietHoursView | None
    time_zone: Annotated[str, Field(description="Whose clocks count.")]
    categories: Annotated[
        list[ChosenCategoryView], Field(description="Each declared one, and what comes of it.")
    ]
    etag: Annotated[str, Field(description="For `If-Match`.")]

    @classmethod
    def of(cls, it: Person, declared: Declared, default_zone: tzinfo) -> Self:
        """View what `it` wants of what is declared."""
        return cls(
            service=it.service,
            user_id=it.user_id,
            choices=_by_category(it.choices),
            quiet_hours=QuietHoursView.of(it.quiet_hours),
            service_quiet_hours=QuietHoursView.of(declared.quiet_hours),
            time_zone=it.time_zone or str(default_zone),
            categories=[
                ChosenCategoryView.of(each, it) for _, each in sorted(declared.by_key.items())
            ],
            etag=quoted(preferences_etag(it)),
        )


def _by_category(choices: Choices) -> dict[str, dict[str, bool]]:
    found: dict[str, dict[str, bool]] = {}
    for choice in choices:
        found.setdefault(choice.category, {})[choice.channel] = choice.is_on
    return found


class ChangeView(View):
    """A choice that was made or taken back."""

    id: int
    category: str
    channel: str
    is_on: Annotated[bool | None, Field(description="null: it was taken back.")]
    source: Literal["one_click", "page", "api", "provider", "stop", "complaint", "merge"]
    notification_id: str | None
    at: datetime

    @classmethod
    def of(cls, it: NotedChange) -> Self:
        """View `it`."""
        return cls(
            id=it.id,
            category=it.category,
            channel=it.channel,
            is_on=it.is_on,
            source=it.source.value,
            notification_id=str(it.notification_id) if it.notification_id else None,
            at=it.at,
        )


class HistoryView(Page[ChangeView]):
    """One page of changes, the newest first."""


class HistoryQuery(RecipientQuery):
    """Which changes."""

    limit: Limit = 50
    after: Annotated[
        int | None,
        BeforeValidator(parse_seq),
        WithJsonSchema({"type": "integer", "minimum": 0}),
        Field(description="Where the last page ended, from its `next`."),
    ] = None


class ConsultedView(View):
    """A row that was looked at."""

    row: str
    says: Annotated[str | None, Field(description="null: it is not there, or not now.")]

    @classmethod
    def of(cls, it: Consulted) -> Self:
        """View `it`."""
        return cls(row=it.row, says=it.says)


class ExplanationView(View):
    """What would become of something for somebody, and why."""

    user_id: str
    channel: Channel
    category: Annotated[
        str | None, Field(description="The one that was asked for, or the template's.")
    ]
    is_declared: Annotated[bool, Field(description="Whether the service declares this category.")]
    at: datetime
    decision: Literal["send", "suppress", "hold", "refuse"]
    until: Annotated[datetime | None, Field(description="When what is held may go.")]
    code: Annotated[str, Field(description="Of what decided; it stays, whatever the `detail`.")]
    detail: str
    row: Annotated[str, Field(description="The row that decided.")]
    rows: Annotated[list[ConsultedView], Field(description="All that were looked at, in order.")]
