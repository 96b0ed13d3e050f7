"""What services say of broadcasts, and are told."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from notifier.api.kit.fields import (
    MetadataValue,
    UserId,
    WireLane,
    WireTemplate,
    WireTime,
    WireType,
    WireVariables,
)
from notifier.api.kit.querying import After, Limit, QueryModel, Service
from notifier.api.kit.views import Page, View
from notifier.audience.topic import KEY_PATTERN, KEY_WORDS
from notifier.broadcasts.announcing import MOST_REHEARSED, Rehearsal, Wish
from notifier.broadcasts.broadcast import (
    MAX_EXCLUDED,
    MAX_RATE_PER_S,
    Broadcast,
    Counts,
    State,
    StoredBroadcast,
    Whom,
)
from notifier.broadcasts.fates import Fate
from notifier.content.template import TemplateRef
from notifier.expecting import WrittenAs
from notifier.notification.model import Channel, Lane

MOST_SAMPLES = 10
_MAX_ATTRIBUTES = 20

TopicKey = Annotated[str, WrittenAs(KEY_PATTERN, KEY_WORDS)]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class FilterRequest(BaseModel):
    """People of the directory."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    attributes: Annotated[
        dict[AttributeName, MetadataValue],
        Field(min_length=1, max_length=_MAX_ATTRIBUTES, description="All of these."),
    ]


class BroadcastRequest(BaseModel):
    """A broadcast: to a `topic`, to those whom a `filter` finds, or to `all`."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "email",
                    "template": "news.weekly",
                    "topic": "news.weekly",
                    "variables": {"issue": 7},
                    "send_at": "2027-01-31T18:00:00+01:00",
                    "rate_per_s": 200,
                },
            ]
        },
    )

    type: Annotated[WireType, Field(description="The channel. `in-app` means `in_app`.")]
    template: Annotated[
        WireTemplate,
        Field(
            description="A published template by its name; with `version`, that one. What is "
            "published later changes nothing."
        ),
    ]
    topic: Annotated[TopicKey | None, Field(description="To all members of this topic.")] = None
    filter: Annotated[
        FilterRequest | None, Field(description="To the people of the directory who have these.")
    ] = None
    all: Annotated[bool, Field(description="To everybody in the directory.")] = False
    exclude: Annotated[
        list[UserId], Field(max_length=MAX_EXCLUDED, description="But not to these.")
    ] = Field(default_factory=list)
    variables: Annotated[
        WireVariables,
        Field(
            description="What the template is filled with; a member's `properties` take the place "
            "of those of the same name. At most 100,000 bytes."
        ),
    ] = None
    priority: Annotated[WireLane, Field(description="How urgent it is.")] = Lane.BULK
    send_at: Annotated[
        WireTime | None,
        Field(description="Not before this time, at most a year ahead; if past, at once."),
    ] = None
    rate_per_s: Annotated[
        int | None,
        Field(ge=1, le=MAX_RATE_PER_S, description="How many become notifications in a second."),
    ] = None
    dry_run: Annotated[
        bool,
        Field(
            description=f"Send nothing, and answer 200 with what would come of the first "
            f"{MOST_REHEARSED} members."
        ),
    ] = False

    @model_validator(mode="after")
    def _is_to_one(self) -> Self:
        named = (self.topic is not None, self.filter is not None, self.all)
        if sum(named) != 1:
            message = "expected one of topic, filter and all"
            raise ValueError(message)
        if self.template is None:
            message = "expected a template"
            raise ValueError(message)
        return self

    def wish(self) -> Wish:
        """Return what is asked for; nothing but its shape is checked."""
        template: TemplateRef | None = self.template
        assert template is not None  # noqa: S101  the model is valid
        return Wish(
            channel=self.type,
            template=template,
            whom=Whom(
                topic=self.topic,
                attributes=self.filter.attributes if self.filter else {},
                excluded=frozenset(self.exclude),
            ),
            variables=self.variables or {},
            lane=self.priority,
            rate_per_s=self.rate_per_s,
            send_at=self.send_at,
        )


class CountsView(View):
    """What became of the members that were looked at: all but `cancelled` add up to `members`."""

    members: int
    accepted: int
    suppressed: Annotated[dict[str, int], Field(description="By the code of the reason.")]
    unknown: Annotated[int, Field(description="Not in the directory.")]
    without_address: Annotated[int, Field(description="Of the channel.")]
    failed: Annotated[int, Field(description="The template cannot be filled for them.")]
    excluded: int
    repeated: Annotated[int, Field(description="Another member is the same person.")]
    cancelled: Annotated[int, Field(description="Of those accepted, with the broadcast.")]

    @classmethod
    def of(cls, counts: Counts) -> Self:
        """View `counts`."""
        return cls(**asdict(counts))


class AcceptedBroadcastView(View):
    """A broadcast that was accepted."""

    id: UUID
    state: State
    template_version_id: Annotated[UUID, Field(description="What is sent, whatever comes later.")]

    @classmethod
    def of(cls, it: Broadcast) -> Self:
        """View `it`, which is stored with this answer."""
        return cls(id=it.id, state=State.SCHEDULED, template_version_id=it.version_id)


class MovedBroadcastView(View):
    """A broadcast that was paused, resumed or cancelled."""

    id: UUID


class BroadcastView(View):
    """A broadcast, and how far it is."""

    id: UUID
    service: str
    type: Channel
    template: str
    template_version_id: UUID
    topic: str | None
    filter: Annotated[dict[str, str] | None, Field(description="Attributes.")]
    all: bool
    priority: Lane
    rate_per_s: int | None
    send_at: datetime | None
    state: State
    counts: CountsView
    fault: Annotated[
        str | None,
        Field(
            description="What the template lacked for the last of those that `failed` counts; or "
            "that the topic was removed meanwhile."
        ),
    ]
    created_at: datetime
    started_at: datetime | None
    finished_at: Annotated[
        datetime | None,
        Field(description="When it was done, or nothing of it was left to cancel."),
    ]

    @classmethod
    def of(cls, it: StoredBroadcast) -> Self:
        """View `it`."""
        attributes = dict(it.whom.attributes)
        return cls(
            id=it.id,
            service=it.service,
            type=it.channel,
            template=it.template,
            template_version_id=it.version_id,
            topic=it.whom.topic,
            filter=attributes or None,
            all=it.whom.topic is None and not attributes,
            priority=it.lane,
            rate_per_s=it.rate_per_s,
            send_at=it.send_at,
            state=it.state,
            counts=CountsView.of(it.counts),
            fault=it.fault,
            created_at=it.created_at,
            started_at=it.started_at,
            finished_at=it.finished_at,
        )


class BroadcastsView(Page[BroadcastView]):
    """One page of broadcasts, the newest first."""


class SampleView(View):
    """What would come of one member."""

    user_id: str
    outcome: Fate
    reason: Annotated[str | None, Field(description="Why they would not be sent to.")]


class RehearsalView(View):
    """What would come of a broadcast; nothing was sent."""

    members: Annotated[int, Field(description="All whom it would be for.")]
    looked_at: Annotated[int, Field(description="The first of them, whom `counts` count.")]
    counts: CountsView
    samples: list[SampleView]

    @classmethod
    def of(cls, it: Rehearsal) -> Self:
        """View `it`."""
        return cls(
            members=it.members,
            looked_at=len(it.looked),
            counts=CountsView.of(it.counts),
            samples=[
                SampleView(user_id=each.user_id, outcome=each.fate, reason=each.why)
                for each in it.looked[:MOST_SAMPLES]
            ],
        )


class BroadcastQuery(QueryModel):
    """Whose broadcast."""

    service: Service = None


class BroadcastsQuery(BroadcastQuery):
    """Whose broadcasts."""

    limit: Limit = 50
    after: After = None
