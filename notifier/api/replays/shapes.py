"""What is said of dead letters and replays, and asked of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from notifier.api.kit.fields import WireTime, WireType
from notifier.api.kit.querying import After, Flag, Id, Limit, QueryModel, Service, Time
from notifier.api.kit.views import Page, View
from notifier.notification.model import Channel, Status
from notifier.notification.reading import NotificationFilter
from notifier.replays.replay import (
    DEFAULT_RATE_PER_S,
    MAX_IDS,
    MAX_RATE_PER_S,
    MAX_REASON_CHARS,
    Group,
    Selection,
    Skip,
    State,
    StoredReplay,
    Survey,
)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_LISTED = "Any of these."
_PROVIDER = "This one was asked last."
_CODE = "The last error's, a provider's or ours."
_TEMPLATE = "A template's name, of whatever version."
_DISCARDED = "Those that were discarded too."
_SINCE = "Accepted at this time or later."
_BEFORE = "Accepted before this time."


class LettersQuery(QueryModel):
    """Which dead letters."""

    service: Service = None
    type: Annotated[list[WireType], Field(max_length=20, description=_LISTED)] = []  # noqa: RUF012 - pydantic copies it
    provider: Annotated[Name | None, Field(description=_PROVIDER)] = None
    error_code: Annotated[Name | None, Field(description=_CODE)] = None
    template: Annotated[Name | None, Field(description=_TEMPLATE)] = None
    broadcast_id: Annotated[Id | None, Field(description="Made by this broadcast.")] = None
    created_from: Annotated[Time | None, Field(description=_SINCE)] = None
    created_before: Annotated[Time | None, Field(description=_BEFORE)] = None
    with_discarded: Annotated[Flag, Field(description=_DISCARDED)] = False

    def selection(self, service: str | None) -> Selection:
        """Return what it asks for, of a service or of all."""
        return Selection(
            service=service,
            filter=NotificationFilter(
                channels=frozenset(self.type),
                provider=self.provider,
                error_code=self.error_code,
                template=self.template,
                broadcast_id=self.broadcast_id,
                created_from=self.created_from,
                created_before=self.created_before,
            ),
            with_discarded=self.with_discarded,
        )


class SelectionRequest(BaseModel):
    """Which dead letters; all of the service's where nothing is said."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    ids: Annotated[list[Id], Field(max_length=MAX_IDS, description="None but these.")] = Field(
        default_factory=list
    )
    type: Annotated[list[WireType], Field(max_length=20, description=_LISTED)] = Field(
        default_factory=list
    )
    provider: Annotated[Name | None, Field(description=_PROVIDER)] = None
    error_code: Annotated[Name | None, Field(description=_CODE)] = None
    template: Annotated[Name | None, Field(description=_TEMPLATE)] = None
    broadcast_id: Annotated[Id | None, Field(description="Made by this broadcast.")] = None
    created_from: Annotated[WireTime | None, Field(description=_SINCE)] = None
    created_before: Annotated[WireTime | None, Field(description=_BEFORE)] = None
    with_discarded: Annotated[bool, Field(description=_DISCARDED)] = False

    def selection(self, service: str | None) -> Selection:
        """Return what it asks for, of a service or of all."""
        return Selection(
            service=service,
            filter=NotificationFilter(
                channels=frozenset(self.type),
                provider=self.provider,
                error_code=self.error_code,
                template=self.template,
                broadcast_id=self.broadcast_id,
                created_from=self.created_from,
                created_before=self.created_before,
            ),
            ids=frozenset(self.ids),
            with_discarded=self.with_discarded,
        )


class RateAndTrial(BaseModel):
    """How fast, and whether at all."""

    rate_per_s: Annotated[
        int, Field(ge=1, le=MAX_RATE_PER_S, description="How many in a second.")
    ] = DEFAULT_RATE_PER_S
    dry_run: Annotated[
        bool,
        Field(description="Try none again, and answer 200 with how many it would be, and which."),
    ] = False


class ReplayRequest(SelectionRequest, RateAndTrial):
    """Dead letters to be tried again."""


class DiscardRequest(SelectionRequest):
    """Dead letters to be given up."""

    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_REASON_CHARS, strip_whitespace=True),
        Field(description="Why; their timelines say so."),
    ]


class GroupView(View):
    """Failed notifications of one cause."""

    service: str
    type: Channel
    provider: str | None
    error_code: str | None
    template: str | None
    count: int
    first_at: Annotated[datetime, Field(description="When the first of them failed.")]
    last_at: datetime

    @classmethod
    def of(cls, group: Group) -> Self:
        """View `group`."""
        cause = group.cause
        return cls(
            service=cause.service,
            type=cause.channel,
            provider=cause.provider,
            error_code=cause.error_code,
            template=cause.template,
            count=group.letters,
            first_at=group.first_at,
            last_at=group.last_at,
        )


class SurveyView(View):
    """What there is of dead letters, and what a replay of them would come to; nothing was done."""

    selected: int
    replayable: int
    skipped: Annotated[dict[Skip, int], Field(description="Those that would not be, by why.")]
    is_part: Annotated[
        bool,
        Field(description="The newest 10,000 failed notifications were looked at; there are more."),
    ]
    groups: Annotated[list[GroupView], Field(description="The largest first.")]

    @classmethod
    def of(cls, it: Survey) -> Self:
        """View `it`."""
        return cls(
            selected=it.selected,
            replayable=it.replayable,
            skipped=dict(it.skipped),
            is_part=it.is_part,
            groups=list(map(GroupView.of, it.groups)),
        )


class DiscardedView(View):
    """How many dead letters were given up."""

    discarded: Annotated[int, Field(description="At most 1,000 at once; ask again for the rest.")]


class FilterView(View):
    """What a replay selects."""

    ids: int
    type: list[Channel]
    provider: str | None
    error_code: str | None
    template: str | None
    broadcast_id: UUID | None
    created_from: datetime | None
    created_before: datetime | None
    with_discarded: bool

    @classmethod
    def of(cls, it: Selection) -> Self:
        """View `it`."""
        filter = it.filter
        return cls(
            ids=len(it.ids),
            type=sorted(filter.channels),
            provider=filter.provider,
            error_code=filter.error_code,
            template=filter.template,
            broadcast_id=filter.broadcast_id,
            created_from=filter.created_from,
            created_before=filter.created_before,
            with_discarded=it.with_discarded,
        )


class ReplayProgressView(View):
    """What became of the letters that were looked at."""

    selected: int
    replayed: int
    skipped: dict[Skip, int]
    undone: Annotated[int, Field(description="Of these: taken back, and failed as before.")]


class StatusesView(View):
    """Where those stand that were replayed, and not undone or replayed once more since."""

    pending: int
    sent: Annotated[int, Field(description="Delivered and bounced ones too.")]
    failed: Annotated[int, Field(description="They failed again.")]
    other: Annotated[int, Field(description="Expired, cancelled or suppressed.")]

    @classmethod
    def of(cls, by_status: Mapping[Status, int]) -> Self:
        """View them."""
        pending = _sum(by_status, Status.PENDING, Status.PROCESSING)
        sent = _sum(by_status, Status.SENT, Status.DELIVERED, Status.BOUNCED)
        failed = _sum(by_status, Status.FAILED)
        other = sum(by_status.values()) - pending - sent - failed
        return cls(pending=pending, sent=sent, failed=failed, other=other)


def _sum(by_status: Mapping[Status, int], *statuses: Status) -> int:
    return sum(by_status.get(each, 0) for each in statuses)


class ReplayView(View):
    """A replay, and how far it is."""

    id: UUID
    service: Annotated[str | None, Field(description="null: of every service.")]
    filter: FilterView
    rate_per_s: int
    state: State
    expected: Annotated[
        int | None, Field(description="How many there were; null: more than were counted.")
    ]
    counts: ReplayProgressView
    begun_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, it: StoredReplay) -> Self:
        """View `it`."""
        return cls(**_seen(it))


class ReplayInFullView(ReplayView):
    """A replay, how far it is, and where its notifications stand."""

    by_status: Annotated[StatusesView, Field(description="At most 100,000 of them are counted.")]

    @classmethod
    def of(cls, it: StoredReplay) -> Self:
        """View `it`."""
        return cls(**_seen(it), by_status=StatusesView.of(it.by_status))


def _seen(it: StoredReplay) -> dict[str, object]:
    counts = it.counts
    progress = ReplayProgressView(
        selected=counts.selected,
        replayed=counts.replayed,
        skipped=dict(counts.skipped),
        undone=counts.undone,
    )
    return {
        "id": it.id,
        "service": it.selection.service,
        "filter": FilterView.of(it.selection),
        "rate_per_s": it.rate_per_s,
        "state": it.state,
        "expected": it.expected,
        "counts": progress,
        "begun_by": it.begun_by,
        "created_at": it.created_at,
        "finished_at": it.finished_at,
    }


class ReplaysView(Page[ReplayView]):
    """One page of replays, the newest first."""


class BegunReplayView(View):
    """A replay that begins."""

    id: UUID
    expected: int | None


class MovedReplayView(View):
    """A replay that was paused, resumed, stopped or undone."""

    id: UUID


class ReplayQuery(QueryModel):
    """Whose dead letters."""

    service: Service = None


class ReplaysQuery(ReplayQuery):
    """Whose replays."""

    limit: Limit = 50
    after: After = None
