"""What dry runs are asked, and answer."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from notifier.api.kit.views import View
from notifier.api.rules.shapes import MAX_VERSION
from notifier.events.event import Match, Outcome
from notifier.events.rehearsing import Rehearsed, Shown
from notifier.notification.model import Channel, Lane
from notifier.notification.origin import Condition


class RehearsalRequest(BaseModel):
    """An event that might come."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [{"event": {"data": {"user_id": "u-7", "order_id": "o-1"}}}]
        },
    )

    event: Annotated[
        dict[str, Any],
        Field(
            description="A CloudEvent. What is left out of its attributes is filled in: `type` by "
            "the rule's."
        ),
    ]
    version: Annotated[
        int | None,
        Field(ge=1, le=MAX_VERSION, description="Of this version; without it, of the draft."),
    ] = None


class ShownView(View):
    """A notification that would be made."""

    type: Channel
    priority: Lane
    send_at: datetime | None
    unless: Condition | None
    unless_event: str | None
    withheld: Annotated[
        str | None, Field(description="Why it is not sent, or not yet: what its recipient wants.")
    ]
    subject: str | None
    text: str | None
    html: str | None
    action_url: str | None

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """Show one."""
        made, rendered = shown.submission, shown.rendered
        origin = made.origin
        return cls(
            type=made.channel,
            priority=made.lane,
            send_at=made.send_at,
            unless=origin.unless.condition if origin and origin.unless else None,
            unless_event=origin.unless_event if origin else None,
            withheld=made.withheld.message if made.withheld else None,
            subject=rendered.subject if rendered else None,
            text=rendered.text if rendered else None,
            html=rendered.html if rendered else None,
            action_url=rendered.action_url if rendered else None,
        )


class DigestView(View):
    """The digest that an event would be collected by."""

    key: str
    due_at: datetime
    max_items: int | None
    unfinished: Annotated[str | None, Field(description="Why it would come to nothing.")]
    notifications: Annotated[
        list[ShownView], Field(description="What it would come to if nothing else came.")
    ]


class ToTopicView(View):
    """The broadcast that would be made."""

    topic: str | None
    type: Channel
    send_at: datetime | None


class ThrottleView(View):
    """How often it is carried out."""

    count: int
    per_s: int
    key: str


class RehearsedView(View):
    """What would come of an event for one person."""

    person: str | None
    key: str | None
    outcome: Outcome
    reason: str | None
    notifications: list[ShownView]
    digest: DigestView | None
    throttle: ThrottleView | None
    broadcast: ToTopicView | None

    @classmethod
    def of(cls, rehearsed: Rehearsed) -> Self:
        """Show a match."""
        match = rehearsed.match
        return cls(
            person=match.person,
            key=match.key,
            outcome=match.outcome,
            reason=match.reason,
            notifications=[ShownView.of(each) for each in rehearsed.now],
            digest=_digest(rehearsed),
            throttle=_throttle(match),
            broadcast=_broadcast(match),
        )


class RuleRehearsalView(View):
    """What a rule would make of an event."""

    version: Annotated[int, Field(description="The rule's; a draft's is the one it would be.")]
    matches: list[RehearsedView]


def _digest(rehearsed: Rehearsed) -> DigestView | None:
    item = rehearsed.match.digest_item
    if item is None:
        return None
    return DigestView(
        key=item.key,
        due_at=item.due_at,
        max_items=item.max_items,
        unfinished=rehearsed.unfinished,
        notifications=[ShownView.of(each) for each in rehearsed.behind_digest],
    )


def _throttle(match: Match) -> ThrottleView | None:
    asked = match.throttle
    return ThrottleView(count=asked.count, per_s=asked.per_s, key=asked.key) if asked else None


def _broadcast(match: Match) -> ToTopicView | None:
    made = match.broadcast
    if made is None:
        return None
    return ToTopicView(topic=made.whom.topic, type=made.channel, send_at=made.send_at)
