"""What clients send and ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic import JsonValue as PydanticJson
from pydantic_core import to_json

from notifier.api.kit.body import Path
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.fields import MetadataName, MetadataValue, WireRecipient, WireTime, WireType
from notifier.api.kit.problems import InvalidField
from notifier.api.kit.querying import After, Limit, QueryModel, Service, Time, number_with_plus
from notifier.intake import drafting
from notifier.intake.drafting import (
    MAX_CONTENT_CHARS,
    MAX_HTML_CHARS,
    MAX_SUBJECT_CHARS,
)
from notifier.intake.ports import Submission
from notifier.notification.medium import MEDIA, Medium
from notifier.notification.model import Channel, JsonValue, Lane, OnUnknown, Status
from notifier.notification.reading import NotificationFilter

MAX_VARIABLES_BYTES = 100_000
MAX_BATCH = 1_000
_LANES: Mapping[str, Lane] = {each.value: each for each in Lane}


@dataclass(frozen=True, slots=True)
class Terms:
    """What requests are checked against, besides themselves."""

    now: datetime
    channels: frozenset[Channel]


def _bounded(variables: dict[str, PydanticJson]) -> dict[str, PydanticJson]:
    if len(to_json(variables)) > MAX_VARIABLES_BYTES:
        message = f"expected at most {MAX_VARIABLES_BYTES} bytes of JSON"
        raise ValueError(message)
    return variables


def _terms(info: ValidationInfo) -> Terms:
    terms: Terms = (info.context or {})["terms"]
    return terms


def _medium(info: ValidationInfo) -> Medium | None:
    """Return what its channel carries; None where that is wrong itself."""
    channel: Channel | None = info.data.get("type")
    return None if channel is None else MEDIA[channel]


def _variables(info: ValidationInfo) -> Mapping[str, JsonValue] | None:
    """Return its variables; None where these are wrong themselves."""
    return (info.data["variables"] or {}) if "variables" in info.data else None


class NotificationQuery(QueryModel):
    """Which notifications to list."""

    service: Service = None
    status: Annotated[list[Status], Field(max_length=20, description="Any of these.")] = []  # noqa: RUF012 - pydantic copies it
    type: Annotated[list[WireType], Field(max_length=20, description="Any of these.")] = []  # noqa: RUF012 - pydantic copies it
    recipient: Annotated[
        str | None,
        BeforeValidator(number_with_plus),
        Field(
            min_length=1,
            max_length=320,
            description="This recipient; addresses without regard to case, numbers in any writing.",
        ),
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
    limit: Limit = 50
    after: After = None

    def filter(self) -> NotificationFilter:
        """Return it as the store understands it."""
        return NotificationFilter(
            statuses=frozenset(self.status),
            channels=frozenset(self.type),
            recipient=self.recipient,
            metadata=self.metadata,
            created_from=self.created_from,
            created_before=self.created_before,
        )


def _lane(value: object) -> Lane:
    if not isinstance(value, str) or value not in _LANES:
        message = f"expected one of {', '.join(_LANES)}"
        raise ValueError(message)
    return _LANES[value]


def _on_unknown(value: object) -> OnUnknown | None:
    if value is None:
        return None
    known = {each.value: each for each in OnUnknown}
    if not isinstance(value, str) or value not in known:
        message = f"expected one of {', '.join(known)}"
        raise ValueError(message)
    return known[value]


WireLane = Annotated[
    Lane,
    BeforeValidator(_lane),
    WithJsonSchema({"type": "string", "enum": [each.value for each in Lane]}),
]
WireOnUnknown = Annotated[
    OnUnknown | None,
    BeforeValidator(_on_unknown),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [each.value for each in OnUnknown]},
                {"type": "null"},
            ]
        }
    ),
]


_EXAMPLES: list[JsonValue] = [
    {
        "type": "email",
        "recipient": "anna@example.com",
        "subject": "Your order {{ order.id }}",
        "content": "Hello {{ name }}, your order over {{ order.total }} is on its way.",
        "html": "<p>Hello {{ name }}, your order over <b>{{ order.total }}</b> is on its way.</p>",
        "variables": {"name": "Anna", "order": {"id": 42, "total": "12.50 EUR"}},
        "metadata": {"order_id": "42"},
    },
    {
        "type": "sms",
        "recipient": "+491701234567",
        "content": "Your code is {{ code }}.",
        "variables": {"code": "914 302"},
        "priority": "high",
        "sensitive": True,
    },
    {"type": "in_app", "recipient": "user-42", "content": "Anna replied to you."},
]


class NotificationRequest(BaseModel):
    """A notification to send."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": _EXAMPLES},
    )

    type: Annotated[WireType, Field(description="The channel. `in-app` means `in_app`.")]
    sensitive: Annotated[
        bool,
        Field(
            description="For one-time codes and the like: content, subject, html and variables "
            "are never shown by any endpoint, and are erased at the final state. Not for in_app."
        ),
    ] = False
    recipient: WireRecipient
    variables: Annotated[
        dict[str, PydanticJson] | None,
        AfterValidator(lambda value: None if value is None else _bounded(value)),
        Field(
            description="What `{{ name }}` stands for in subject, content and html; "
            "`{{ order.total }}` reaches into objects. At most 100,000 bytes.",
        ),
    ] = None
    content: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CONTENT_CHARS,
            description="The text, a template. Filled in, an SMS has at most 1,600 characters.",
        ),
    ]
    subject: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_SUBJECT_CHARS,
            validate_default=True,
            description="One line, a template. Emails need one, an SMS has none.",
        ),
    ] = None
    html: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_HTML_CHARS,
            description="The same as HTML, a template whose variables are escaped. Emails only.",
        ),
    ] = None
    priority: Annotated[WireLane, Field(description="How urgent it is.")] = Lane.NORMAL
    send_at: Annotated[
        WireTime | None,
        Field(description="Not before this time, at most a year ahead; if past, at once."),
    ] = None
    expires_at: Annotated[
        WireTime | None, Field(description="Not after this time; in the future, after `send_at`.")
    ] = None
    on_unknown: Annotated[
        WireOnUnknown,
        Field(
            description="What to do when a provider may or may not have taken it: `resend` (the "
            "recipient may get it twice) or `hold` (it fails instead). The channel's own policy "
            "if absent."
        ),
    ] = None
    metadata: Annotated[
        dict[MetadataName, MetadataValue],
        Field(
            max_length=20,
            description="Your own references, to find it by.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = Field(default_factory=dict)

    @field_validator("type")
    @classmethod
    def _is_on(cls, channel: Channel, info: ValidationInfo) -> Channel:
        drafting.check_channel(channel, _terms(info).channels)
        return channel

    @field_validator("sensitive")
    @classmethod
    def _can_be_kept(cls, sensitive: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it
        if medium := _medium(info):
            drafting.check_sensitive(medium, sensitive=sensitive)
        return sensitive

    @field_validator("content")
    @classmethod
    def _fills(cls, content: str, info: ValidationInfo) -> str:
        drafting.check_content(_medium(info), content, _variables(info))
        return content

    @field_validator("subject")
    @classmethod
    def _suits_its_channel(cls, subject: str | None, info: ValidationInfo) -> str | None:
        drafting.check_subject(_medium(info), subject, _variables(info))
        return subject

    @field_validator("html")
    @classmethod
    def _has_its_place(cls, html: str | None, info: ValidationInfo) -> str | None:
        drafting.check_html(_medium(info), html, _variables(info))
        return html

    @field_validator("send_at")
    @classmethod
    def _within_a_year(cls, send_at: datetime | None, info: ValidationInfo) -> datetime | None:
        drafting.check_send_at(send_at, _terms(info).now)
        return send_at

    @field_validator("expires_at")
    @classmethod
    def _still_ahead(cls, expires_at: datetime | None, info: ValidationInfo) -> datetime | None:
        drafting.check_expires_at(expires_at, info.data.get("send_at"), _terms(info).now)
        return expires_at

    @classmethod
    def read(
        cls, value: JsonValue, terms: Terms, *, path: Path = ()
    ) -> "NotificationRequest | list[InvalidField]":
        """Check `value`, found at `path` of the body; all that is wrong with it otherwise."""
        return read_strictly(cls, value, path=path, context={"terms": terms})

    def submission(
        self, id: UUID, *, service: str, now: datetime, traceparent: str | None
    ) -> Submission:
        """Return it as a submission of `service`."""
        return Submission(
            id=id,
            service=service,
            channel=self.type,
            lane=self.priority,
            recipient=self.recipient,
            content=self.content,
            subject=self.subject,
            html=self.html,
            variables=self.variables,
            metadata=self.metadata,
            send_at=drafting.later(self.send_at, now),
            expires_at=self.expires_at,
            sensitive=self.sensitive,
            on_unknown=self.on_unknown,
            traceparent=traceparent,
        )


class BatchRequest(BaseModel):
    """Up to 1,000 notifications, accepted in one transaction."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    notifications: Annotated[list[NotificationRequest], Field(min_length=1, max_length=MAX_BATCH)]


class BatchFrame(BaseModel):
    """A batch before its items are looked at one by one."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    notifications: Annotated[list[PydanticJson], Field(min_length=1, max_length=MAX_BATCH)]
