"""What clients get, made from the core's values."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import Field
from pydantic import JsonValue as PydanticJson
from pydantic_core import to_jsonable_python

from notifier.api.kit.problems import InvalidField
from notifier.api.kit.views import InvalidFieldView, Page, View
from notifier.api.notifications.addressing import ReasonView
from notifier.api.notifications.sources import AttachedView, OriginView, PinView
from notifier.content.template import TemplateVersion
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
from notifier.notification.outcomes import SUPPRESSED, Fault
from notifier.notification.sms import SmsEncoding, SmsSize

JsonObject: TypeAlias = dict[str, JsonValue]

Segments: TypeAlias = Annotated[
    int | None, Field(description="How many messages an SMS is on a network, as it was accepted.")
]
Encoding: TypeAlias = Annotated[
    SmsEncoding | None,
    Field(description="Their alphabet: gsm7 has 160 characters a message, ucs2 70."),
]


Reason: TypeAlias = Annotated[
    ReasonView | None,
    Field(description="Why its recipient does not get it, or not before `send_at`."),
]


def accepted(submission: Submission) -> JsonObject:
    """Return what an `AcceptedView` of `submission` is as JSON; a model takes ten times as long."""
    return {
        "id": str(submission.id),
        "status": _accepted_as(submission),
        "reason": _reason(submission.withheld),
        "type": submission.channel,
        "priority": submission.lane,
        "send_at": to_jsonable_python(submission.send_at) if submission.send_at else None,
        **_size(submission.size),
    }


def accepted_item(submission: Submission) -> JsonObject:
    """Return what a `BatchItemView` of what was accepted is as JSON."""
    return {
        "status": _accepted_as(submission),
        "id": str(submission.id),
        "reason": _reason(submission.withheld),
        **_size(submission.size),
        "errors": None,
    }


def rejected_item(errors: Sequence[InvalidField]) -> JsonObject:
    """Return what a `BatchItemView` of what was not accepted is as JSON."""
    told: list[JsonValue] = [
        {"pointer": each.where, "parameter": None, "detail": each.detail} for each in errors
    ]
    return {
        "status": "rejected",
        "id": None,
        "reason": None,
        **_size(None),
        "errors": told,
    }


def _reason(withheld: Fault | None) -> JsonValue:
    return {"code": withheld.code, "detail": withheld.message} if withheld else None


def _size(size: SmsSize | None) -> JsonObject:
    if size is None:
        return {"segments": None, "encoding": None}
    return {"segments": size.segments, "encoding": size.encoding}


def _accepted_as(submission: Submission) -> Literal["pending", "suppressed"]:
    is_unwanted = submission.withheld is not None and submission.withheld.kind == SUPPRESSED
    return "suppressed" if is_unwanted else "pending"


class FaultView(View):
    """Why an attempt did not succeed, or none was made."""

    kind: Annotated[
        str, Field(description="transient, permanent, systemic, unknown, suppressed or deferred.")
    ]
    code: Annotated[str, Field(description="The provider's code, or ours.")]
    message: str

    @classmethod
    def of(cls, fault: Fault | None) -> Self | None:
        """View `fault`."""
        return cls(kind=fault.kind, code=fault.code, message=fault.message) if fault else None


class TimelineView(View):
    """One event in a notification's life."""

    at: datetime
    event: Annotated[str, Field(description="accept, claim, succeed, retry, fail, ...")]
    attempt: int
    provider: str | None
    provider_id: str | None
    error: FaultView | None
    delay_s: Annotated[float | None, Field(description="Seconds until the next attempt.")]
    note: Annotated[str | None, Field(description="Which replay it was, or why it was discarded.")]

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
            note=entry.note,
        )


class AcceptedView(View):
    """A notification that was accepted: stored for good, and on its way."""

    id: UUID
    status: Annotated[
        Literal["pending", "suppressed"],
        Field(description="suppressed: stored, and not sent, since its recipient chose so."),
    ]
    reason: Reason
    type: Channel
    priority: Lane
    send_at: Annotated[datetime | None, Field(description="null: at once.")]
    segments: Segments
    encoding: Encoding


class BatchItemView(View):
    """What became of one item of a batch: its id, or what is wrong with it."""

    status: Literal["pending", "suppressed", "rejected"]
    id: UUID | None
    reason: Reason
    segments: Segments
    encoding: Encoding
    errors: Annotated[
        list[InvalidFieldView] | None, Field(description="Pointers into the whole body.")
    ]


class BatchView(View):
    """What became of a batch, item by item and in its order."""

    accepted: int
    rejected: int
    items: list[BatchItemView]


class MovedView(View):
    """A notification whose status was changed on request."""

    id: UUID
    status: Status


class CancelledView(View):
    """How many notifications were cancelled by their key."""

    cancelled: int


class _Standing(View):
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
    segments: Segments
    encoding: Encoding
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
        return cls.model_validate({**_standing_of(it), "history": history})


class SummaryView(_Standing):
    """A notification without its content."""

    service: str
    recipient: str
    user_id: Annotated[str | None, Field(description="The person whom it was accepted for.")]
    category: str | None
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

    template: Annotated[PinView | None, Field(description="What holds its content, if one does.")]
    origin: Annotated[OriginView | None, Field(description="The rule that made it, if one did.")]
    broadcast_id: Annotated[UUID | None, Field(description="The broadcast that it is of.")]
    forwarded_from: Annotated[
        UUID | None, Field(description="The one of which it was made, for another address.")
    ]
    forwards: Annotated[
        list[UUID], Field(description="Those that were made of it, for other addresses.")
    ]
    subject: str | None
    content: Annotated[
        str | None, Field(description="null once erased, if sensitive, and with a template.")
    ]
    html: str | None
    action_url: str | None
    literal: Annotated[
        bool,
        Field(
            description="Whether content, subject and html are finished, and braces in them just "
            "braces: sent as such, or kept as filled to be sanitised or made a text of."
        ),
    ]
    variables: dict[str, PydanticJson] | None
    from_: Annotated[
        str | None,
        Field(
            alias="from",
            description="As whom an email was accepted to be sent; null: as "
            "NOTIFIER_EMAIL__SENDER says, and once erased or if sensitive.",
        ),
    ]
    reply_to: str | None
    headers: dict[str, str] | None
    attachments: Annotated[
        list[AttachedView], Field(description="Empty once erased, and if sensitive.")
    ]
    timeline: Annotated[list[TimelineView], Field(description=_ENTRIES)]

    @classmethod
    def whole(
        cls,
        it: Notification,
        timeline: Sequence[TimelineEntry],
        version: TemplateVersion | None = None,
        forwards: Sequence[UUID] = (),
    ) -> Self:
        """View all of `it` that may be seen; `version` is what its template is pinned to."""
        shown = not it.sensitive
        mail = it.mail if shown else None
        return cls.model_validate(
            {
                **_summary(it),
                "template": PinView.of(version, it.template) if version and it.template else None,
                "origin": OriginView.of(it.origin) if it.origin else None,
                "broadcast_id": it.broadcast_id,
                "forwarded_from": it.forwarded_from,
                "forwards": list(forwards),
                "subject": it.subject if shown else None,
                "content": it.content if shown else None,
                "html": it.html if shown else None,
                "action_url": it.action_url if shown else None,
                "literal": it.is_finished,
                "variables": dict(it.variables) if shown and it.variables is not None else None,
                "from": str(mail.sender) if mail and mail.sender else None,
                "reply_to": str(mail.reply_to) if mail and mail.reply_to else None,
                "headers": dict(mail.headers) if mail and mail.headers else None,
                "attachments": [
                    {"id": each.id, "inline": each.content_id is not None}
                    for each in (mail.attachments if mail else ())
                ],
                "timeline": [TimelineView.of(each) for each in timeline],
            }
        )


class PageView(Page[SummaryView]):
    """One page of notifications, newest first."""

    next: Annotated[
        str | None,
        Field(description="Path of the next page, null on the last; a page may be short."),
    ]


def _summary(it: Notification) -> dict[str, object]:
    return {
        **_standing_of(it),
        "service": it.service,
        "recipient": it.recipient,
        "user_id": it.addressee.user_id if it.addressee else None,
        "category": it.addressee.category if it.addressee else None,
        "sensitive": it.sensitive,
        "on_unknown": it.on_unknown,
        "metadata": dict(it.metadata),
    }


def _standing_of(it: Notification) -> dict[str, object]:
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
        "segments": it.size.segments if it.size else None,
        "encoding": it.size.encoding if it.size else None,
        "outcome_unknown": it.outcome_unknown,
    }
