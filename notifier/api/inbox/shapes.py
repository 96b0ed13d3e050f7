"""What answers about inboxes look like, and whose inbox is asked for."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from notifier.api.inbox_stream import Address
from notifier.api.kit.calls import Call
from notifier.api.kit.problems import (
    invalid_parameter,
)
from notifier.api.kit.views import View
from notifier.audience.inbox import InboxHead, InboxItem
from notifier.audience.recipient import normalise
from notifier.errors import RecipientError
from notifier.notification.model import Channel

PREFIX = "/api/v1/inbox"
TAG = "Inbox"


class InboxItemView(View):
    """A notification in an inbox."""

    seq: Annotated[int, Field(description="Counts up by one in each inbox; the stream's id.")]
    id: Annotated[UUID, Field(description="The notification's id.")]
    subject: str | None
    text: str
    html: str | None
    action_url: Annotated[
        str | None,
        Field(description="Where it leads: an https address, or a path of the service's own app."),
    ]
    metadata: dict[str, str]
    created_at: datetime
    read_at: datetime | None
    seen_at: datetime | None
    archived_at: datetime | None
    snoozed_until: datetime | None

    @classmethod
    def of(cls, item: InboxItem) -> Self:
        """View `item`."""
        return cls(
            seq=item.seq,
            id=item.notification_id,
            subject=item.subject,
            text=item.text,
            html=item.html,
            action_url=item.action_url,
            metadata=dict(item.metadata),
            created_at=item.created_at,
            read_at=item.read_at,
            seen_at=item.seen_at,
            archived_at=item.archived_at,
            snoozed_until=item.snoozed_until,
        )


class InboxCountsView(View):
    """How an inbox stands; what is archived or snoozed is not counted."""

    unread_count: int
    unseen_count: Annotated[int, Field(description="Not shown yet: for a badge.")]
    version: Annotated[int, Field(description="Grows when items that were there have changed.")]

    @classmethod
    def of(cls, head: InboxHead) -> Self:
        """View `head`."""
        return cls(unread_count=head.unread, unseen_count=head.unseen, version=head.version)


class InboxView(InboxCountsView):
    """One page of an inbox, newest first."""

    items: list[InboxItemView]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last.")]


def address_of(call: Call[Any, Any]) -> Address:
    """Return whose inbox the call is about.

    Raises:
        ProblemError: 422, it is no recipient; 403, the caller's token is of another inbox.
    """
    written = call.named("recipient")
    try:
        recipient = normalise(Channel.IN_APP, written)
    except RecipientError as error:
        raise invalid_parameter("recipient", str(error)) from error
    return call.caller.service, call.caller.may_open(recipient)
