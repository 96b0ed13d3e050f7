"""What clients get: the models of every answer, made from the core's values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic import JsonValue as PydanticJson

from notifier.api.kit.problems import InvalidField
from notifier.audience.inbox import InboxItem
from notifier.audience.suppression import Suppression
from notifier.intake.ports import Submission
from notifier.notification.model import (
    Channel,
    JsonValue,
    Lane,
    Notification,
    OnUnknown,
    Status,
    TimelineEntry,
)
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.reading import Account
from notifier.providers.account import ProviderWord
from notifier.providers.captures import Capture
from notifier.providers.standing import Standing


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_value(self) -> dict[str, JsonValue]:
        """Return it as JSON, times as RFC 3339."""
        value: dict[str, JsonValue] = self.model_dump(mode="json")
        return value


class ProblemView(BaseModel):
    """What went wrong (RFC 9457)."""

    type: Annotated[str, Field(description="A URI for this kind of problem; never changes.")]
    title: str
    status: int
    code: Annotated[str, Field(description="The end of `type`.")]
    detail: str
    instance: Annotated[str, Field(description="Names this occurrence, with the X-Request-ID.")]
    errors: Annotated[
        list["InvalidFieldView"] | None, Field(description="Everything that is invalid.")
    ] = None


class InvalidFieldView(BaseModel):
    """One invalid field of the body, or one invalid parameter or header."""

    pointer: Annotated[str | None, Field(description="JSON pointer into the body.")] = None
    parameter: Annotated[str | None, Field(description="Name of a parameter or header.")] = None
    detail: str


class FaultView(_View):
    """Why an attempt did not succeed."""

    kind: Annotated[str, Field(description="transient, permanent, systemic or unknown.")]
    code: Annotated[str, Field(description="The provider's code, or ours.")]
    message: str

    @classmethod
    def of(cls, fault: Fault | None) -> Self | None:
        """View `fault`."""
        return cls(kind=fault.kind, code=fault.code, message=fault.message) if fault else None


class TimelineView(_View):
    """One event in a notification's life."""

    at: datetime
    event: Annotated[str, Field(description="accept, claim, succeed, retry, fail, ...")]
    attempt: int
    provider: str | None
    provider_id: str | None
    error: FaultView | None
    delay_s: Annotated[float | None, Field(description="Seconds until the next attempt.")]

    @classmethod
    def of(cls, entry: TimelineEntry) -> Self:
        """View `entry`."""
        return cls(
            at=entry.at,
            event=entry.event,
            attempt=entry.attempt,
            provider=entry.provider,
            provider_id=entry.provider_id,
            error=FaultView.of(entry.fault),
            delay_s=entry.delay_s,
        )


class AcceptedView(_View):
    """A notification that was accepted: stored for good, and on its way."""

    id: UUID
    status: Literal["pending"] = "pending"
    type: Channel
    priority: Lane
    send_at: Annotated[datetime | None, Field(description="null: at once.")]

    @classmethod
    def of(cls, submission: Submission) -> Self:
        """View `submission`."""
        return cls(
            id=submission.id,
            type=submission.channel,
            priority=submission.lane,
            send_at=submission.send_at,
        )


class BatchItemView(_View):
    """What became of one item of a batch: its id, or what is wrong with it."""

    status: Literal["pending", "rejected"]
    id: UUID | None
    errors: Annotated[
        list[InvalidFieldView] | None, Field(description="Pointers into the whole body.")
    ]

    @classmethod
    def accepted(cls, submission: Submission) -> Self:
        """View an item that was accepted."""
        return cls(status="pending", id=submission.id, errors=None)

    @classmethod
    def rejected(cls, errors: Sequence[InvalidField]) -> Self:
        """View an item that was not."""
        views = [InvalidFieldView(pointer=each.where, detail=each.detail) for each in errors]
        return cls(status="rejected", id=None, errors=views)


class BatchView(_View):
    """What became of a batch, item by item and in its order."""

    accepted: int
    rejected: int
    items: list[BatchItemView]


class MovedView(_View):
    """A notification whose status was changed on request."""

    id: UUID
    status: Status


class _Standing(_View):
    id: UUID
    type: Channel
    priority: Lane
    status: Status
    attempts: Annotated[int, Field(description="Attempts that count against the limit.")]
    created_at: datetime
    updated_at: datetime
    due_at: Annotated[
        datetime | None, Field(description="When it is tried (again); null once it is not.")
    ]
    expires_at: datetime | None
    sent_at: Annotated[datetime | None, Field(description="When a provider took it.")]
    finished_at: datetime | None
    provider: str | None
    provider_id: str | None
    error: Annotated[FaultView | None, Field(description="The last error.")]
    outcome_unknown: Annotated[
        bool, Field(description="Whether an attempt may have reached the recipient unrecorded.")
    ]


_ENTRIES = "Oldest first; of more than 250 entries the newest."


class StatusView(_Standing):
    """Where a notification stands, and how it came there."""

    history: Annotated[list[TimelineView], Field(description=_ENTRIES)]

    @classmethod
    def of(cls, it: Notification, timeline: Sequence[TimelineEntry]) -> Self:
        """View where `it` stands."""
        history = [TimelineView.of(each) for each in timeline]
        return cls.model_validate({**_standing(it), "history": history})


class SummaryView(_Standing):
    """A notification without its content."""

    service: str
    recipient: str
    sensitive: bool
    on_unknown: Annotated[
        OnUnknown | None, Field(description="Its own wish; null: its channel's policy.")
    ]
    metadata: dict[str, str]

    @classmethod
    def of(cls, it: Notification) -> Self:
        """View `it`."""
        return cls.model_validate(_summary(it))


class NotificationView(SummaryView):
    """A whole notification. Of a sensitive one, content is never shown."""

    subject: str | None
    content: Annotated[str | None, Field(description="null once erased, or if sensitive.")]
    html: str | None
    variables: dict[str, PydanticJson] | None
    timeline: Annotated[list[TimelineView], Field(description=_ENTRIES)]

    @classmethod
    def whole(cls, it: Notification, timeline: Sequence[TimelineEntry]) -> Self:
        """View all of `it` that may be seen."""
        shown = not it.sensitive
        return cls.model_validate(
            {
                **_summary(it),
                "subject": it.subject if shown else None,
                "content": it.content if shown else None,
                "html": it.html if shown else None,
                "variables": dict(it.variables) if shown and it.variables is not None else None,
                "timeline": [TimelineView.of(each) for each in timeline],
            }
        )


class PageView(_View):
    """One page of notifications, newest first."""

    items: list[SummaryView]
    next: Annotated[
        str | None,
        Field(description="Path of the next page, null on the last; a page may be short."),
    ]


class AccountView(_View):
    """The account of the newest 100,000: each of them stands in exactly one state."""

    accepted: int
    by_status: Annotated[dict[Status, int], Field(description="Every status, zeros included.")]
    balanced: Annotated[bool, Field(description="Whether accepted is the sum of by_status.")]
    outcome_unknown: int
    late_completions: int
    unknown_messages: Annotated[
        int,
        Field(description="Ids that messages named and the database lost, or never had."),
    ]
    queues: Annotated[
        dict[str, int] | None,
        Field(description="Messages ready in each of the broker's queues, of all services."),
    ]
    queues_problem: Annotated[str | None, Field(description="Why queues is null.")]
    next: Annotated[
        str | None,
        Field(description="Path of the account of those before these; null if there are none."),
    ]

    @classmethod
    def of(
        cls,
        account: Account,
        depths: Mapping[str, int] | None,
        problem: str | None,
        older: str | None,
    ) -> Self:
        """View `account`, whose `older` ones are there, beside the broker's `depths`."""
        return cls(
            accepted=account.accepted,
            by_status={each: account.by_status.get(each, 0) for each in Status},
            balanced=account.is_balanced,
            outcome_unknown=account.outcome_unknown,
            late_completions=account.late_completions,
            unknown_messages=account.unknown_messages,
            queues=None if depths is None else dict(depths),
            queues_problem=problem,
            next=older,
        )


class InboxItemView(_View):
    """A notification in an inbox."""

    seq: Annotated[int, Field(description="Counts up by one in each inbox; the stream's id.")]
    id: Annotated[UUID, Field(description="The notification's id.")]
    subject: str | None
    text: str
    html: str | None
    metadata: dict[str, str]
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, item: InboxItem) -> Self:
        """View `item`."""
        return cls(
            seq=item.seq,
            id=item.notification_id,
            subject=item.subject,
            text=item.text,
            html=item.html,
            metadata=dict(item.metadata),
            created_at=item.created_at,
            read_at=item.read_at,
        )


class InboxView(_View):
    """One page of an inbox, newest first."""

    unread_count: int
    items: list[InboxItemView]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last.")]


class CaptureView(_View):
    """What the sandbox provider was handed."""

    seq: int
    id: Annotated[UUID, Field(description="The notification's id.")]
    service: str
    type: Channel
    recipient: str
    subject: str | None
    text: Annotated[str | None, Field(description="null if sensitive.")]
    html: str | None
    sensitive: bool
    attempt: int
    captured_at: datetime

    @classmethod
    def of(cls, capture: Capture) -> Self:
        """View `capture`; of a sensitive one never its content."""
        shown = not capture.sensitive
        return cls(
            seq=capture.seq,
            id=capture.notification_id,
            service=capture.service,
            type=capture.channel,
            recipient=capture.recipient,
            subject=capture.subject if shown else None,
            text=capture.text if shown else None,
            html=capture.html if shown else None,
            sensitive=capture.sensitive,
            attempt=capture.attempt,
            captured_at=capture.captured_at,
        )


class CapturesView(_View):
    """One page of captures, newest first."""

    items: list[CaptureView]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last.")]


class PartView(_View):
    """Whether one thing that notifier needs is there."""

    ok: bool
    problem: Annotated[
        str | None, Field(description="What the last that was asked of it met, in its own words.")
    ]


class ReadinessView(_View):
    """Whether notifier accepts notifications, and whether they go on from here."""

    status: Annotated[
        Literal["ready", "degraded", "unavailable"],
        Field(
            description="degraded: accepts, but the broker takes no messages or a channel has no "
            "provider that may be asked, so delivery waits."
        ),
    ]
    database: PartView
    broker: PartView
    channels: Annotated[
        dict[Channel, PartView],
        Field(description="Whether a provider may be asked; empty while that is not known."),
    ]
    clock: Annotated[
        PartView,
        Field(description="Whether this machine's clock agrees with the database's, which counts."),
    ]


class ProviderView(_View):
    """A provider account, as all workers share it."""

    name: str
    channels: Annotated[list[Channel], Field(description="Those that it serves here.")]
    state: Annotated[
        ProviderWord,
        Field(
            description="closed: traffic flows. open: it failed, and is asked again later. "
            "paused: by an operator. throttled: it asked for a pause."
        ),
    ]
    reason: str | None
    opened_at: datetime | None
    closed_for_s: Annotated[
        float, Field(description="Seconds until it is asked again, if it is not paused.")
    ]
    trips: Annotated[
        int, Field(description="How often in a row its breaker opened without a success between.")
    ]
    put_off: Annotated[
        int,
        Field(
            description="Notifications that wait since it refused us, or because its breaker is "
            "open; of more than 10,000 that wait for anything, the first are looked at."
        ),
    ]
    put_off_oldest_s: Annotated[
        float | None, Field(description="Seconds since the oldest of them was accepted.")
    ]

    @classmethod
    def of(cls, standing: Standing) -> Self:
        """View `standing`."""
        state = standing.state
        return cls(
            name=state.name,
            channels=list(standing.channels),
            state=state.word,
            reason=state.reason,
            opened_at=state.opened_at,
            closed_for_s=state.closed_for_s,
            trips=state.trips,
            put_off=standing.put_off.count,
            put_off_oldest_s=standing.put_off.oldest_s if standing.put_off.count else None,
        )


class ProvidersView(_View):
    """Every provider that is configured here, or ever was in trouble."""

    items: list[ProviderView]


class OrderedView(_View):
    """What an operator ordered a provider to be."""

    name: str
    state: Literal["closed", "paused"]


class SuppressedView(_View):
    """An address that is on a service's suppression list."""

    service: str
    type: Channel
    recipient: str


class SuppressionView(SuppressedView):
    """An address on a service's suppression list, and how it came there."""

    reason: SuppressionReason
    notification_id: Annotated[
        UUID | None, Field(description="The notification that showed it; null: put there by hand.")
    ]
    created_at: datetime

    @classmethod
    def of(cls, it: Suppression) -> Self:
        """View `it`."""
        return cls(
            service=it.service,
            type=it.channel,
            recipient=it.recipient,
            reason=it.reason,
            notification_id=it.notification_id,
            created_at=it.created_at,
        )


class SuppressionsView(_View):
    """One page of suppressions."""

    items: list[SuppressionView]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last.")]


class HomeView(_View):
    """Where to find what."""

    name: Literal["notifier"]
    docs: str
    openapi: str
    health: str
    readiness: str


class HealthView(_View):
    """The process is alive."""

    status: Literal["alive"] = "alive"


def _summary(it: Notification) -> dict[str, object]:
    return {
        **_standing(it),
        "service": it.service,
        "recipient": it.recipient,
        "sensitive": it.sensitive,
        "on_unknown": it.on_unknown,
        "metadata": dict(it.metadata),
    }


def _standing(it: Notification) -> dict[str, object]:
    return {
        "id": it.id,
        "type": it.channel,
        "priority": it.lane,
        "status": it.status,
        "attempts": it.attempts,
        "created_at": it.created_at,
        "updated_at": it.updated_at,
        "due_at": it.due_at if it.status is Status.PENDING else None,
        "expires_at": it.expires_at,
        "sent_at": it.sent_at,
        "finished_at": it.finished_at,
        "provider": it.provider,
        "provider_id": it.provider_id,
        "error": FaultView.of(it.fault),
        "outcome_unknown": it.outcome_unknown,
    }
