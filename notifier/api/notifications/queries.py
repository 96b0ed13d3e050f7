"""What of notifications is asked for in a query string."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from notifier.api.kit.fields import MetadataName, MetadataValue, UserId, WireType
from notifier.api.kit.querying import (
    After,
    Id,
    Limit,
    QueryModel,
    Service,
    Time,
    number_with_plus,
)
from notifier.notification.exporting import Form
from notifier.notification.model import Lane, Status
from notifier.notification.reading import NotificationFilter


class NotificationSearch(QueryModel):
    """Which notifications."""

    service: Service = None
    id: Annotated[Id | None, Field(description="This one.")] = None
    status: Annotated[list[Status], Field(max_length=20, description="Any of these.")] = []  # noqa: RUF012 - pydantic copies it
    type: Annotated[list[WireType], Field(max_length=20, description="Any of these.")] = []  # noqa: RUF012 - pydantic copies it
    priority: Annotated[list[Lane], Field(max_length=20, description="Any of these.")] = []  # noqa: RUF012 - pydantic copies it
    recipient: Annotated[
        str | None,
        BeforeValidator(number_with_plus),
        Field(
            min_length=1,
            max_length=320,
            description="This recipient; addresses without regard to case, numbers in any writing.",
        ),
    ] = None
    user_id: Annotated[UserId | None, Field(description="This person of the directory.")] = None
    category: Annotated[str | None, Field(max_length=64, description="This category.")] = None
    provider: Annotated[
        str | None, Field(max_length=200, description="This one was asked last.")
    ] = None
    error_code: Annotated[
        str | None, Field(max_length=200, description="The last error's, a provider's or ours.")
    ] = None
    template: Annotated[
        str | None, Field(max_length=200, description="A template's name, of whatever version.")
    ] = None
    broadcast_id: Annotated[Id | None, Field(description="Made by this broadcast.")] = None
    rule: Annotated[
        str | None, Field(max_length=200, description="Made by the rule of this name.")
    ] = None
    metadata: Annotated[
        dict[MetadataName, MetadataValue],
        Field(
            max_length=20,
            description="All of these; write `metadata.order_id=42` or `metadata[order_id]=42`.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    created_from: Annotated[Time | None, Field(description="At this time or later.")] = None
    created_before: Annotated[Time | None, Field(description="Before this time.")] = None

    def filter(self) -> NotificationFilter:
        """Return it as the store understands it."""
        return NotificationFilter(
            id=self.id,
            statuses=frozenset(self.status),
            channels=frozenset(self.type),
            lanes=frozenset(self.priority),
            recipient=self.recipient,
            user_id=self.user_id,
            category=self.category,
            provider=self.provider,
            error_code=self.error_code,
            template=self.template,
            broadcast_id=self.broadcast_id,
            rule=self.rule,
            metadata=self.metadata,
            created_from=self.created_from,
            created_before=self.created_before,
        )


class NotificationQuery(NotificationSearch):
    """Which notifications to list."""

    limit: Limit = 50
    after: After = None


class ExportQuery(NotificationSearch):
    """Which notifications to export, and how."""

    format: Annotated[Form, Field(description="A table, or an object a line.")] = Form.NDJSON
